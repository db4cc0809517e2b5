import type { Uptime } from '../ports.js';
import { Kind, type Label, label, type RecordWriter } from '../seal/index.js';
import { Debounce } from './debounce.js';
import { Outage, type RetrySettings } from './outage.js';
import type { Source, SourceSettings } from './source.js';
import { Transitions } from './transitions.js';
import { Trouble } from './trouble.js';
import { Tuning } from './tuning.js';

/** What is used of an ECMA-419 Digital. */
export interface DigitalIo {
  read(): number | undefined;
  close?(): void;
}

export interface MachineStateSettings extends RetrySettings {
  readonly name: string;
  readonly uptime: Uptime;
  /**
   * Opens the input so that it calls `onReadable` at both edges:
   * `onReadable => new Digital({ pin: 4, mode: Digital.InputPullUp, edge: Digital.Rising | Digital.Falling, onReadable })`
   */
  readonly open: (onReadable: () => void) => DigitalIo;
  /** A low pin is `true`: a switch to ground. */
  readonly activeLow?: boolean;
  /** Default 20. */
  readonly debounceMs?: number;
  /** A pin that has not come to rest for so long is a fault `unsteady`; default 10,000. */
  readonly restlessMs?: number;
  /** How often the pin is looked at besides its edges; default 1,000. */
  readonly periodMs?: number;
  /** The state is told again after so long without a transition; default 600,000. */
  readonly maxIntervalMs?: number;
  /** Transitions kept until they are told, 2 to 1,024; default 32. */
  readonly queued?: number;
  /** Called at an edge: the device wants to be polled soon. What it seals late carries the edge's own time. */
  readonly wake?: () => void;
}

/**
 * A machine's state at a digital input, one reading for each transition: `<name>` is the state, `<name>/at` the
 * uptime in s of this transition and `<name>/since` that of the one before, so that how long a state lasted is
 * exact whenever the reading is sealed. `<name>/glitches`, `/missed` and `/dropped` count since boot; each
 * is told when it has changed.
 */
export class MachineState implements Source {
  readonly name: string;
  readonly #settings: MachineStateSettings;
  readonly #labels: Record<'state' | 'at' | 'since' | 'glitches' | 'missed' | 'dropped', Label>;
  readonly #tuning: Tuning;
  readonly #outage: Outage;
  readonly #debounce: Debounce;
  readonly #waiting: Transitions;
  readonly #restlessMs: number;
  readonly #onReadable = () => this.#edge();
  #io: DigitalIo | undefined;
  /** The reading that is ready is a fault. */
  #fault = false;
  #nowMs = 0;
  #dueMs = 0;
  #toldMs = 0;
  /** Of the transition pushed last. */
  #level = -1;
  #atMs = -1;
  #sinceMs = -1;
  #glitches = 0;
  #missed = 0;
  #dropped = 0;

  /** @throws RangeError when the settings are out of bounds */
  constructor(settings: MachineStateSettings) {
    const { name, debounceMs = 20, periodMs = 1_000, queued = 32, maxIntervalMs } = settings;
    if (!(queued >= 2 && queued <= 1_024)) throw new RangeError(`queued: from 2 to 1024, not ${queued}`);
    this.name = name;
    this.#settings = settings;
    this.#labels = {
      state: label(name),
      at: label(`${name}/at`, 's'),
      since: label(`${name}/since`, 's'),
      glitches: label(`${name}/glitches`, 'count'),
      missed: label(`${name}/missed`, 'count'),
      dropped: label(`${name}/dropped`, 'count'),
    };
    this.#tuning = new Tuning({ periodMs, maxIntervalMs }, 0);
    this.#outage = new Outage(name, settings);
    this.#debounce = new Debounce(debounceMs);
    this.#waiting = new Transitions(queued);
    this.#restlessMs = settings.restlessMs ?? 10_000;
  }

  get kind(): number {
    return this.#fault ? Kind.fault : 0;
  }

  poll(nowMs: number): number {
    if (nowMs < this.#nowMs) this.#rebase(nowMs);
    this.#nowMs = nowMs;
    if (nowMs >= this.#dueMs) this.#look(nowMs);
    this.#settle(nowMs);
    const { resting } = this.#debounce;
    const outage = this.#outage;
    if (outage.failing && this.#io !== undefined && resting) outage.succeed(nowMs);
    // Transitions carry their own time, so that it does not matter which goes first.
    if (this.#fault || this.#waiting.count > 0) return 0;
    const waitMs = Math.max(1, Math.min(this.#dueMs - nowMs, this.#debounce.waitMs(nowMs)));
    // A state that is in question is not repeated.
    if (this.#level < 0 || outage.failing || !resting) return waitMs;
    const againMs = outage.recovered ? 0 : this.#toldMs + this.#tuning.maxIntervalMs - nowMs;
    return Math.max(0, Math.min(againMs, waitMs));
  }

  write(records: RecordWriter): void {
    if (this.#fault) {
      this.#fault = false;
      this.#outage.writeFault(records, this.#nowMs);
      return;
    }
    const waiting = this.#waiting;
    const fresh = waiting.count > 0;
    this.#state(
      records,
      fresh ? waiting.level : this.#level,
      fresh ? waiting.atMs : this.#atMs,
      fresh ? waiting.sinceMs : this.#sinceMs,
    );
    waiting.shift();
    this.#toldMs = this.#nowMs;
    if (!this.#outage.failing) this.#outage.writeRecovery(records);
  }

  configure(settings: SourceSettings): string {
    const fault = this.#tuning.apply(settings);
    if (!this.#outage.failing) this.#dueMs = Math.min(this.#dueMs, this.#nowMs + this.#tuning.periodMs);
    return fault;
  }

  #state(records: RecordWriter, level: number, atMs: number, sinceMs: number): void {
    const labels = this.#labels;
    const { glitches, missed } = this.#debounce;
    const { dropped } = this.#waiting;
    records.bool(labels.state, (level === 1) !== (this.#settings.activeLow === true));
    records.number(labels.at, atMs / 1000);
    if (sinceMs >= 0) records.number(labels.since, sinceMs / 1000);
    if (glitches !== this.#glitches) records.number(labels.glitches, glitches);
    if (missed !== this.#missed) records.number(labels.missed, missed);
    if (dropped !== this.#dropped) records.number(labels.dropped, dropped);
    this.#glitches = glitches;
    this.#missed = missed;
    this.#dropped = dropped;
  }

  /** The pin calls: an edge, or several that came faster than this call. */
  #edge(): void {
    if (this.#io === undefined) return;
    // Before anything else is done.
    const nowMs = this.#settings.uptime.nowMs();
    this.#settle(nowMs);
    try {
      const pin = this.#io.read();
      if (pin === 0 || pin === 1) this.#debounce.edge(pin, nowMs);
    } catch {
      // The next look finds out.
      this.#dueMs = nowMs;
    }
    this.#settings.wake?.();
  }

  #look(nowMs: number): void {
    const trouble = this.#read(nowMs);
    const restless = this.#debounce.restlessMs(nowMs) >= this.#restlessMs;
    if (trouble === Trouble.none && !restless) {
      this.#dueMs = nowMs + this.#tuning.periodMs;
      return;
    }
    const { maxIntervalMs } = this.#tuning;
    const outage = this.#outage;
    this.#fault = outage.fail(trouble === Trouble.none ? Trouble.unsteady : trouble, nowMs, maxIntervalMs);
    if (trouble === Trouble.none) {
      this.#dueMs = nowMs + this.#tuning.periodMs;
      return;
    }
    const io = this.#io;
    this.#io = undefined;
    this.#debounce.forget();
    try {
      io?.close?.();
    } catch {
      // It has failed already.
    }
    this.#dueMs = nowMs + outage.waitMs;
  }

  #read(nowMs: number): Trouble {
    try {
      this.#io ??= this.#settings.open(this.#onReadable);
    } catch {
      return Trouble.notFound;
    }
    try {
      const pin = this.#io.read();
      if (pin !== 0 && pin !== 1) return Trouble.noValue;
      this.#settle(nowMs);
      this.#debounce.look(pin, nowMs);
      return Trouble.none;
    } catch {
      return Trouble.noAnswer;
    }
  }

  #settle(nowMs: number): void {
    const debounce = this.#debounce;
    if (!debounce.settle(nowMs)) return;
    this.#sinceMs = this.#atMs;
    this.#atMs = debounce.atMs;
    this.#level = debounce.level;
    this.#waiting.push(this.#level, this.#atMs, this.#sinceMs);
  }

  /** Uptime ran backwards, which it must not: go on from here. */
  #rebase(nowMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, nowMs);
    this.#toldMs = Math.min(this.#toldMs, nowMs);
    this.#debounce.rebase(nowMs);
    this.#outage.rebase(nowMs);
  }
}
