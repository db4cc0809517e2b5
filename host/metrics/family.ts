/** One metric: its name, what it tells, and how its samples are read off a status. */
import type { NodeStatus } from '../control/status.js';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  /** Absent: this sample is not told now, which is something else than 0. */
  readonly value: number | undefined;
}

export interface Family {
  /** With its unit last, in base units: seconds, bytes; `_total` for what only rises. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels?: readonly string[];
  /** Of one status; a bounded number of them. */
  samples(status: NodeStatus): readonly Sample[];
}

/** A gauge without labels. */
export function gauge(name: string, help: string, value: (status: NodeStatus) => number | undefined): Family {
  return { name, help, type: 'gauge', samples: status => [{ value: value(status) }] };
}

/** A counter without labels. */
export function counter(
  name: string,
  help: string,
  value: (status: NodeStatus) => number | undefined,
): Family {
  return { name, help, type: 'counter', samples: status => [{ value: value(status) }] };
}

/** Values of one label in a metric: the names are fixed in the code, and this holds if one ever is not. */
const MAX_NAMES = 128;
const MAX_LABEL_LENGTH = 128;

/** Counts by name, such as reasons. */
export function counters(
  name: string,
  help: string,
  label: string,
  values: (status: NodeStatus) => Readonly<Record<string, number>> | undefined,
): Family {
  return {
    name,
    help,
    type: 'counter',
    labels: [label],
    samples: status =>
      Object.entries(values(status) ?? {})
        .slice(0, MAX_NAMES)
        .map(([key, value]) => ({ labels: { [label]: labelValue(key) }, value })),
  };
}

/** A text as a label: of bounded length. Quotes and line ends are escaped where it is rendered. */
export function labelValue(text: string): string {
  return text.length > MAX_LABEL_LENGTH ? `${text.slice(0, MAX_LABEL_LENGTH)}…` : text;
}

/** A condition as Prometheus has it; undefined stays untold. */
export function flag(condition: boolean | undefined): number | undefined {
  return condition === undefined ? undefined : Number(condition);
}

/** Unix milliseconds in seconds. */
export function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
