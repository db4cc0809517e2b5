import type { FaultKind } from '../kernel/fault-kinds.js';
import type { Scenario } from '../scenario.js';

/** One text of the compiled product that becomes another. */
export interface Edit {
  /** The source, from the root: what is altered is the file that the compiler made of it. */
  readonly file: string;
  /** As the compiler writes it, whatever the white space; it must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** The product with a mistake in it that somebody might make. */
export interface Defect {
  readonly name: string;
  /** What it breaks. */
  readonly guarantee: string;
  readonly edits: readonly Edit[];
  /** So many seeds, beginning with `from`, must be enough to catch it. */
  readonly budget: number;
  /** 1 unless it takes what only later seeds have. */
  readonly from?: number;
  /** Scenarios that can show it; others are passed over and don't count. */
  readonly where?: (scenario: Scenario) => boolean;
  /** `journal`: in the simulation of journal and cursor alone, which shows more of them in less time. */
  readonly within?: 'journal';
}

/** Scenarios with at least one of these kinds of faults. */
export function having(...kinds: readonly FaultKind[]): (scenario: Scenario) => boolean {
  return ({ rates }) => kinds.some(kind => rates[kind] !== undefined);
}
