/**
 * Virtual time, chance and trace of one run: all that happens follows from the seed. Events run one after another; what an
 * event resolves is taken up before the next one, so that the engine's microtasks are part of the event that caused them.
 */
import { SeededRandom } from '../../../boards/virtual/random.js';
import { EventQueue, type Scheduled } from './event-queue.js';
import { type FaultPlan, Faults } from './faults.js';
import { Trace } from './trace.js';

export interface WorldOptions {
  readonly seed: number;
  readonly faults: FaultPlan;
  readonly trace?: boolean;
}

/** A seed that makes no progress in virtual time is a fault of the simulation or of the product. */
const MAX_EVENTS_PER_INSTANT = 100_000;
const EVENTS_PER_TURN = 64;

export class World {
  readonly seed: number;
  readonly faults: Faults;
  readonly trace: Trace;
  /** Events run so far. */
  events = 0;
  #nowMs = 0;
  readonly #queue = new EventQueue();
  readonly #streams = new Map<string, SeededRandom>();
  #failure: unknown;
  #outside: Promise<unknown> | undefined;

  constructor({ seed, faults, trace = false }: WorldOptions) {
    this.seed = seed;
    this.trace = new Trace(this, trace);
    this.faults = new Faults(this, faults);
  }

  /** Virtual milliseconds since the beginning of the run; may be fractional. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** The generator of this name, always the same one. */
  random(stream: string): SeededRandom {
    let random = this.#streams.get(stream);
    if (random === undefined) {
      random = this.derive(stream);
      this.#streams.set(stream, random);
    }
    return random;
  }

  /** A new generator from the seed and a name. */
  derive(name: string): SeededRandom {
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return new SeededRandom((this.seed * 2_097_152 + (hash >>> 11)) % Number.MAX_SAFE_INTEGER);
  }

  /** Calls `run` at a time, never within the caller's turn. A time in the past means now. */
  at(timeMs: number, run: () => void): Scheduled {
    return this.#queue.add(Math.max(timeMs, this.#nowMs), run);
  }

  after(delayMs: number, run: () => void): Scheduled {
    return this.#queue.add(this.#nowMs + Math.max(0, delayMs), run);
  }

  /** Work in real time, such as cryptography on other threads: nothing else happens before it is done, and no virtual time passes. */
  outside(work: Promise<unknown>): void {
    this.#outside = work;
  }

  /** Ends the run: whatever finds that something is wrong, from wherever it is called. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /**
   * Lets time pass.
   * @param done asked after each event
   * @throws what `fail` was given, or an event threw
   */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    let instantMs = -1;
    let here = 0;
    for (;;) {
      const event = this.#queue.first;
      if (event === undefined || event.timeMs > untilMs) break;
      event.cancel();
      this.#nowMs = event.timeMs;
      if (event.timeMs !== instantMs) {
        instantMs = event.timeMs;
        here = 0;
      } else if (++here > MAX_EVENTS_PER_INSTANT) throw new Error(`time stands still at ${instantMs} ms`);
      this.events++;
      event.run();
      // A turn of Node's own loop costs as much as the event itself.
      await (this.events % EVENTS_PER_TURN === 0 ? turned() : settled());
      while (this.#outside !== undefined) {
        const work = this.#outside;
        this.#outside = undefined;
        await work;
        await turned();
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (done()) return;
    }
    await turned();
    if (this.#failure !== undefined) throw this.#failure;
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}

/** Resolves when no microtask is left: ticks come after all of them. */
function settled(): Promise<void> {
  return new Promise(resolve => process.nextTick(resolve));
}

/** Lets Node do what it does between turns, such as telling of rejections that nobody handles. */
function turned(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
