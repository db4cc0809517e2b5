/**
 * What goes wrong, and when. Each kind draws from a stream of its own, so that switching one kind off leaves the others where
 * they were; each injected fault has a name (`kind#n`) by which a shorter run can leave it out.
 */
import { SeededRandom } from '../../../boards/virtual/random.js';
import type { FaultKind } from './fault-kinds.js';
import type { World } from './world.js';

export interface FaultPlan {
  /** Kinds that are not named are off. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  /** Faults that are left out, by id. */
  readonly masked?: ReadonlySet<string>;
}

const HOUR_MS = 3_600_000;

export class Faults {
  /** How many of each kind were injected. */
  readonly injected = new Map<FaultKind, number>();
  /** Of each injected fault, in order. */
  readonly ids: string[] = [];
  readonly #world: World;
  readonly #plan: FaultPlan;
  readonly #streams = new Map<FaultKind, { random: SeededRandom; hits: number }>();
  #stopped = false;

  constructor(world: World, plan: FaultPlan) {
    this.#world = world;
    this.#plan = plan;
  }

  /** No fault is injected any more. */
  stop(): void {
    this.#stopped = true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether this kind may occur in this run. */
  has(kind: FaultKind): boolean {
    return (this.#plan.rates[kind] ?? 0) > 0;
  }

  /**
   * Whether a fault occurs here.
   * @param what where it occurs, for the trace
   * @param weight of the kind's rate, for occasions that are rarer or more frequent than others
   * @returns chance for its details; undefined: no fault
   */
  hit(kind: FaultKind, what: string, weight = 1): SeededRandom | undefined {
    const rate = this.#plan.rates[kind];
    if (rate === undefined || this.#stopped) return undefined;
    const stream = this.#stream(kind);
    if (stream.random.unit() >= rate * weight) return undefined;
    return this.#inject(kind, stream, what);
  }

  /** Calls `run` at random times, as often an hour as the kind's rate says on average. */
  arrivals(kind: FaultKind, run: (details: SeededRandom) => void): void {
    const rate = this.#plan.rates[kind];
    if (rate === undefined || rate <= 0) return;
    const stream = this.#stream(kind);
    const next = () => {
      const waitMs = (-Math.log(1 - stream.random.unit()) * HOUR_MS) / rate;
      this.#world.after(waitMs, () => {
        if (this.#stopped) return;
        const details = this.#inject(kind, stream, '');
        if (details !== undefined) run(details);
        next();
      });
    };
    next();
  }

  #inject(
    kind: FaultKind,
    stream: { random: SeededRandom; hits: number },
    what: string,
  ): SeededRandom | undefined {
    const details = new SeededRandom(stream.random.bits());
    const id = `${kind}#${stream.hits++}`;
    if (this.#plan.masked?.has(id)) return undefined;
    this.ids.push(id);
    this.injected.set(kind, (this.injected.get(kind) ?? 0) + 1);
    this.#world.trace.note('fault', id, what);
    return details;
  }

  #stream(kind: FaultKind): { random: SeededRandom; hits: number } {
    let stream = this.#streams.get(kind);
    if (stream === undefined) {
      stream = { random: this.#world.derive(`fault:${kind}`), hits: 0 };
      this.#streams.set(kind, stream);
    }
    return stream;
  }
}
