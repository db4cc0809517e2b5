/**
 * Whether the gateway works: what systemd's watchdog is fed by, and the status tells.
 *
 * Each part counts what it gets done (`turns`) and says whether something waits for it (`busy`). A part hangs when something
 * has waited for longer than its limit and nothing at all was got done. Failing is not hanging: a full disk fails every few
 * seconds, a broker that is away refuses one attempt after the other, and both are told elsewhere; a new process would
 * mend neither. Nothing here runs by itself: whoever asks for the state takes the samples, and however rarely that is, the
 * judgement is exact, since the same number of turns at two times means that there was none in between.
 */
import type { HealthPart, HealthStatus } from './control/status.js';
import type { Clock } from './ports.js';

export interface Pulse {
  /** Rises with everything that was got done, well or badly. */
  readonly turns: number;
  /** Something is to be done at the moment. */
  readonly busy: boolean;
}

export interface Watched {
  readonly part: HealthPart;
  /** The subject of "… for 31 s": `the disk has ended no write`. */
  readonly hang: string;
  readonly limitMs: number;
  pulse(): Pulse;
}

interface Sample {
  readonly turns: number;
  /** Monotonic: since when there has been no turn although something waited. */
  readonly sinceMs: number;
}

export class Health {
  readonly #clock: Clock;
  readonly #watched: readonly Watched[];
  readonly #samples = new Map<Watched, Sample>();

  constructor(clock: Clock, watched: readonly Watched[]) {
    this.#clock = clock;
    this.#watched = watched;
  }

  state(): HealthStatus {
    const faults = new Map<HealthPart, string>();
    for (const watched of this.#watched) {
      const hungMs = this.#hungMs(watched);
      if (hungMs > watched.limitMs && !faults.has(watched.part))
        faults.set(watched.part, `${watched.hang} for ${Math.round(hungMs / 1000)} s`);
    }
    const of = (part: HealthPart) => {
      const fault = faults.get(part);
      return fault === undefined ? { ok: true } : { ok: false, fault };
    };
    return {
      ok: faults.size === 0,
      parts: { intake: of('intake'), journal: of('journal'), uplink: of('uplink') },
    };
  }

  #hungMs(watched: Watched): number {
    const { turns, busy } = watched.pulse();
    const nowMs = this.#clock.monotonic();
    const last = this.#samples.get(watched);
    if (busy && last?.turns === turns) return nowMs - last.sinceMs;
    this.#samples.set(watched, { turns, sinceMs: nowMs });
    return 0;
  }
}

/** Asks something that must answer, whenever its pulse is taken and the last answer has come: refusing is an answer too. */
export function asking(question: () => Promise<unknown>): () => Pulse {
  let turns = 0;
  let waiting = false;
  const answered = () => {
    turns++;
    waiting = false;
  };
  return () => {
    const pulse = { turns, busy: waiting };
    if (!waiting) {
      waiting = true;
      question().then(answered, answered);
    }
    return pulse;
  };
}

export interface WatchedParts {
  readonly intake: { readonly pulse: Pulse };
  readonly journal: { readonly pulse: Pulse };
  readonly uplink?: { readonly pulse: Pulse } | undefined;
  /** Asks the disk for something that is no write: a gateway into which nothing comes has a disk all the same. */
  disk(): Promise<unknown>;
}

/** What a disk or a loop may take, where nobody says; flash cards stand still for seconds. */
export const HANG_MS = 30_000;
/** The intake's rounds are 10 s apart. */
const INTAKE_MS = 30_000;
/** An uplink rests for up to a minute between attempts, and may wait so long for what a broker acknowledges. */
const UPLINK_MS = 300_000;

/** @param hangMs what one write to the disk may take */
export function watched(parts: WatchedParts, hangMs = HANG_MS, connectTimeoutMs = 0): Watched[] {
  const { intake, journal, uplink, disk } = parts;
  const on = (part: HealthPart, hang: string, limitMs: number, pulse: () => Pulse): Watched => ({
    part,
    hang,
    limitMs,
    pulse,
  });
  return [
    on('intake', 'the intake has looked after nothing', Math.max(hangMs, INTAKE_MS), () => intake.pulse),
    on('journal', 'the disk has ended no write of the journal', hangMs, () => journal.pulse),
    on('journal', 'the disk has answered no question', hangMs, asking(disk)),
    ...(uplink === undefined
      ? []
      : [
          on(
            'uplink',
            'the uplink has neither published nor tried to',
            Math.max(hangMs, UPLINK_MS) + connectTimeoutMs,
            () => uplink.pulse,
          ),
        ]),
  ];
}
