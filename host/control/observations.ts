/**
 * What has to be looked at now and then, because it changes slowly, costs something to find out, or is a course over time:
 * the disk's room and wear, the journal's size and age, the last backup, the uplink's backlog of the last day.
 */
import { lastBackup } from '../backup/last.js';
import type { Clock, Storage, Timer } from '../ports.js';
import type { BacklogHistory } from './calls.js';
import type { WriteStatus } from './status.js';

/** The kernel's counts; `host/node/disk-writes.ts` on a real machine. */
export interface WriteCounts {
  /** Undefined where nothing can be said yet, or ever. `seconds`: over how long. */
  sample(): Promise<WriteSample | undefined>;
}

export type WriteSample = Omit<WriteStatus, 'years'>;

export interface ObservationPorts {
  readonly clock: Clock;
  readonly storage: Storage;
  /** Absent: nothing is observed by itself. */
  readonly writes?: WriteCounts;
}

export interface ObservedJournal {
  /** Bytes of all segments. */
  size(): Promise<number>;
  /** When the oldest segment began, Unix ms; undefined when nothing tells. */
  oldestAt(): Promise<number | undefined>;
}

const LOOK_MS = 10_000;
const FRESH_MS = 2000;
const BACKLOG_MS = 60_000;
const MAX_POINTS = 1440;
/** Less says little about a day. */
const MIN_WRITE_SECONDS = 60;
const DAYS_A_YEAR = 365.25;

const unknown = () => undefined;

export interface ObservationOptions {
  /** The data directory. */
  readonly directory: string;
  readonly gateway: string;
  readonly enduranceBytes?: number | undefined;
}

export class Observations {
  availableBytes: number | undefined;
  journalBytes: number | undefined;
  oldestAt: number | undefined;
  lastBackupAt: number | undefined;
  writes: WriteStatus | undefined;
  readonly #ports: ObservationPorts;
  readonly #options: ObservationOptions;
  readonly #journal: ObservedJournal;
  /** Of the uplink. */
  readonly #backlog: () => number;
  readonly #points: [at: number, backlog: number][] = [];
  #pointMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    ports: ObservationPorts,
    options: ObservationOptions,
    journal: ObservedJournal,
    backlog: () => number,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#journal = journal;
    this.#backlog = backlog;
  }

  get backlog(): BacklogHistory {
    return { everySeconds: BACKLOG_MS / 1000, points: this.#points };
  }

  /** Looks once, and again and again where there is something to observe. */
  async start(): Promise<void> {
    if (this.#ports.writes === undefined) return;
    await this.look();
    if (!this.#stopped) this.#timer = this.#ports.clock.after(LOOK_MS, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** For somebody who asks: no older than a moment. */
  async refresh(): Promise<void> {
    if (this.#ports.writes === undefined) await this.#space();
    else if (this.#ports.clock.monotonic() - this.#lookedMs >= FRESH_MS) await this.look();
  }

  /** What can't be found out now is unknown until the next time. */
  async look(): Promise<void> {
    const { clock, storage, writes } = this.#ports;
    const { directory, gateway } = this.#options;
    this.#lookedMs = clock.monotonic();
    this.#point();
    await this.#space();
    this.journalBytes = await this.#journal.size().catch(unknown);
    this.oldestAt = await this.#journal.oldestAt().catch(unknown);
    this.lastBackupAt = await lastBackup(storage, directory, gateway);
    const sample = await writes?.sample().catch(unknown);
    if (sample !== undefined && sample.seconds >= MIN_WRITE_SECONDS) this.writes = this.#worn(sample);
  }

  async #space(): Promise<void> {
    const space = await this.#ports.storage.space(this.#options.directory).catch(unknown);
    this.availableBytes = space?.availableBytes;
  }

  #worn(sample: WriteSample): WriteStatus {
    const { enduranceBytes } = this.#options;
    const years = (enduranceBytes ?? 0) / sample.bytesPerDay / DAYS_A_YEAR;
    const told = enduranceBytes !== undefined && Number.isFinite(years);
    return {
      ...sample,
      seconds: Math.round(sample.seconds),
      ...(told && { years: Math.round(years * 10) / 10 }),
    };
  }

  #point(): void {
    const now = this.#ports.clock.monotonic();
    if (now - this.#pointMs < BACKLOG_MS) return;
    this.#pointMs = now;
    this.#points.push([this.#ports.clock.now(), this.#backlog()]);
    if (this.#points.length > MAX_POINTS) this.#points.shift();
  }
}
