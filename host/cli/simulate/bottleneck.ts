/** Finds out when it is the virtual devices that hold everything up, and not the gateway. */
const BUSY = 0.97;
const ENOUGH = 0.95;
/** So many looks in a row must agree. */
const LOOKS = 3;

/** What the devices of a run have done so far. */
export interface Progress {
  readonly sealed: number;
  readonly receipted: number;
  readonly lost: number;
  /** Held from earlier runs when this one began. */
  readonly recovered: number;
  /** All devices are at work, and none is done. */
  readonly steady: boolean;
  /** The share of its time in which the busiest process was not idle, since the last look. */
  readonly busy: number;
}

export class Bottleneck {
  readonly #askedPerSecond: number;
  readonly #processes: number;
  readonly #cores: number;
  #last: { sealed: number; atMs: number } | undefined;
  #looks = 0;
  #said = false;

  /** @param askedPerSecond readings a second of all devices together */
  constructor(askedPerSecond: number, processes: number, cores: number) {
    this.#askedPerSecond = askedPerSecond;
    this.#processes = processes;
    this.#cores = cores;
  }

  /** To be called about once a second. @returns what is to be said, once a run */
  look({ sealed, steady, busy }: Progress, atMs: number): string | undefined {
    const last = this.#last;
    this.#last = { sealed, atMs };
    if (last === undefined || this.#said) return undefined;
    const perSecond = ((sealed - last.sealed) / (atMs - last.atMs)) * 1000;
    const behind = steady && busy >= BUSY && perSecond < ENOUGH * this.#askedPerSecond;
    this.#looks = behind ? this.#looks + 1 : 0;
    if (this.#looks < LOOKS) return undefined;
    this.#said = true;
    const made = Math.round(perSecond).toLocaleString('en-US');
    const asked = Math.round(this.#askedPerSecond).toLocaleString('en-US');
    return `simulate is the bottleneck: its devices make ${made} of ${asked} readings a second, in ${counted(this.#processes)} without a pause; ${this.#remedy}`;
  }

  get #remedy(): string {
    const more = Math.min(this.#cores, 2 * this.#processes);
    return more > this.#processes
      ? `give --processes ${more}, or ask for less`
      : `this machine has ${counted(this.#cores, 'core')}: ask for less, or run it on another one`;
  }
}

function counted(count: number, what = 'process'): string {
  return `${count} ${what}${count === 1 ? '' : what === 'process' ? 'es' : 's'}`;
}
