/**
 * Where bytes that failed a gate are kept for people to look at. One line each, in `intake-<number>.jsonl`:
 *
 *   {"at":<Unix ms>,"reason":"mac","device":"<id>","link":"tcp:192.0.2.7","authentic":false,"bytes":"<base64url>"}
 *
 * `device` is absent when the bytes name none that is known; `detail` says what was malformed. Anybody on a
 * link can fail a gate, so everything is limited: the whole, each reason, each device, and what is not
 * authentic by the day, spread over the day so that the first minute of a flood does not use it up. Nothing is
 * written below the disk reserve. What is not kept is counted.
 */
import type { Clock, Log, Storage } from '../ports.js';
import { Counters } from './counters.js';
import { type LineFile, LineFiles } from './line-files.js';
import { QuarantineLines } from './quarantine-lines.js';

export interface QuarantineOptions {
  /** Absolute path; made when absent. */
  readonly directory: string;
  readonly maxBytes: number;
  readonly perReasonBytes: number;
  readonly perDeviceBytes: number;
  /** What is not authentic: at most this much a day. */
  readonly unauthenticatedPerDayBytes: number;
  /** Nothing is written while the file system has less than this available. */
  readonly reserveBytes: number;
}

export interface Suspect {
  readonly reason: string;
  /** A known device's id. */
  readonly device?: string | undefined;
  readonly detail?: string;
  readonly link: string;
  /** Whether the MAC was right and the refusal has another reason. */
  readonly authentic: boolean;
}

export interface QuarantineFacts {
  /** On disk. */
  readonly bytes: number;
  readonly kept: number;
  /** Not kept, by what stood in the way. */
  readonly dropped: Record<string, number>;
  readonly reasons: Record<string, number>;
}

const MAX_FILES = 16;
const MAX_PENDING_BYTES = 256 * 1024;
const FLUSH_MS = 200;
const PAUSE_AFTER_ERROR_MS = 10_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const KEEP_MS = 30 * DAY_MS;

interface Usage {
  readonly reasons: Map<string, number>;
  readonly devices: Map<string, number>;
  lastAt: number;
}

interface Pending {
  readonly line: Buffer;
  readonly suspect: Suspect;
  readonly at: number;
}

export class Quarantine {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: QuarantineOptions;
  readonly #files: LineFiles;
  readonly #lines: QuarantineLines;
  readonly #usage = new Map<LineFile, Usage>();
  readonly #reasonBytes = new Map<string, number>();
  readonly #deviceBytes = new Map<string, number>();
  readonly #seen = new Counters();
  readonly #dropped = new Counters();
  #bytes = 0;
  #kept = 0;
  #day = -1;
  #dayBytes = 0;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #writing: Promise<void> = Promise.resolve();
  #pausedUntilMs = -1;

  private constructor(ports: { storage: Storage; clock: Clock; log: Log }, options: QuarantineOptions) {
    this.#storage = ports.storage;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#options = options;
    this.#files = new LineFiles(ports.storage, options.directory, 'intake');
    this.#lines = new QuarantineLines(this.#files);
  }

  /** Takes up what an earlier run has kept, so that a restart renews no quota. */
  static async open(
    ports: { storage: Storage; clock: Clock; log: Log },
    options: QuarantineOptions,
  ): Promise<Quarantine> {
    const quarantine = new Quarantine(ports, options);
    try {
      await quarantine.#files.load((text, file) => quarantine.#found(text, file));
    } catch (error) {
      // Looking at what was refused earlier is worth less than taking in what comes now.
      quarantine.#failed(error);
    }
    return quarantine;
  }

  /** Keeps a copy of `bytes[from, to)`, or counts why not. Never waits and never throws. */
  add(suspect: Suspect, bytes: Uint8Array, from: number, to: number): void {
    this.#seen.add(suspect.reason);
    const at = this.#clock.now();
    const obstacle = this.#obstacle(suspect, at, to - from);
    if (obstacle !== '') {
      this.#dropped.add(obstacle);
      return;
    }
    const record = {
      at,
      reason: suspect.reason,
      device: suspect.device,
      detail: suspect.detail || undefined,
      link: suspect.link,
      authentic: suspect.authentic,
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('base64url'),
    };
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    this.#charge(suspect, at, line.length);
    this.#pending.push({ line, suspect, at });
    this.#pendingBytes += line.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(FLUSH_MS, () => {
      this.#scheduled = false;
      void this.flush();
    });
  }

  /** Resolves when everything added so far is on disk or counted as dropped. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** What is kept, with everything that was added so far. */
  async lines(): Promise<QuarantineLines> {
    await this.flush();
    return this.#lines;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#files.close();
  }

  status(): QuarantineFacts {
    return {
      bytes: this.#bytes,
      kept: this.#kept,
      dropped: this.#dropped.all(),
      reasons: this.#seen.all(),
    };
  }

  /** Which limit forbids to keep so many more bytes; '' when none does. */
  #obstacle(suspect: Suspect, at: number, size: number): string {
    const options = this.#options;
    const lineBytes = Math.ceil((size * 4) / 3) + 256;
    if (this.#clock.monotonic() < this.#pausedUntilMs) return 'disk';
    if (this.#pendingBytes + lineBytes > MAX_PENDING_BYTES) return 'busy';
    if ((this.#reasonBytes.get(suspect.reason) ?? 0) + lineBytes > options.perReasonBytes)
      return 'reason-quota';
    if ((this.#deviceBytes.get(suspect.device ?? '') ?? 0) + lineBytes > this.#deviceQuota(suspect))
      return 'device-quota';
    if (lineBytes > this.#fileBytes()) return 'quota';
    if (!suspect.authentic && this.#spentToday(at) + lineBytes > this.#dayAllowance(at)) return 'day-quota';
    return '';
  }

  /** What names no known device shares the quota of a reason. */
  #deviceQuota(suspect: Suspect): number {
    return suspect.device === undefined ? this.#options.perReasonBytes : this.#options.perDeviceBytes;
  }

  #spentToday(at: number): number {
    const day = Math.floor(at / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayBytes = 0;
    }
    return this.#dayBytes;
  }

  /** Grows by the hour, and what an hour leaves the next may use. */
  #dayAllowance(at: number): number {
    const hours = Math.floor((((at % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS) + 1;
    return (this.#options.unauthenticatedPerDayBytes * hours) / 24;
  }

  #fileBytes(): number {
    return Math.floor(this.#options.maxBytes / MAX_FILES);
  }

  #charge(suspect: Suspect, at: number, lineBytes: number): void {
    const device = suspect.device ?? '';
    this.#reasonBytes.set(suspect.reason, (this.#reasonBytes.get(suspect.reason) ?? 0) + lineBytes);
    this.#deviceBytes.set(device, (this.#deviceBytes.get(device) ?? 0) + lineBytes);
    if (!suspect.authentic) this.#dayBytes = this.#spentToday(at) + lineBytes;
  }

  /** A line of an earlier run. */
  #found(text: string, file: LineFile): void {
    const size = Buffer.byteLength(text) + 1;
    let record: { at?: unknown; reason?: unknown; device?: unknown; authentic?: unknown };
    try {
      record = JSON.parse(text) as typeof record;
    } catch {
      record = {};
    }
    const suspect = {
      reason: typeof record.reason === 'string' ? record.reason : 'torn',
      device: typeof record.device === 'string' ? record.device : undefined,
      link: '',
      authentic: record.authentic === true,
    };
    const at = typeof record.at === 'number' ? record.at : 0;
    const today = Math.floor(at / DAY_MS) === Math.floor(this.#clock.now() / DAY_MS);
    this.#charge({ ...suspect, authentic: suspect.authentic || !today }, this.#clock.now(), size);
    this.#account(file, suspect, at, size);
  }

  #account(file: LineFile, suspect: Suspect, at: number, size: number): void {
    let usage = this.#usage.get(file);
    if (usage === undefined) {
      usage = { reasons: new Map(), devices: new Map(), lastAt: 0 };
      this.#usage.set(file, usage);
    }
    const device = suspect.device ?? '';
    usage.reasons.set(suspect.reason, (usage.reasons.get(suspect.reason) ?? 0) + size);
    usage.devices.set(device, (usage.devices.get(device) ?? 0) + size);
    usage.lastAt = Math.max(usage.lastAt, at);
    this.#bytes += size;
    this.#kept++;
  }

  async #write(): Promise<void> {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const { availableBytes } = await this.#storage.space(this.#options.directory);
      if (availableBytes < this.#options.reserveBytes) {
        this.#forget(batch, 'reserve');
        return;
      }
      while (batch.length > 0) {
        await this.#makeRoom();
        const file = this.#files.current(this.#fileBytes());
        let size = 0;
        let count = 0;
        while (count < batch.length && (count === 0 || file.bytes + size < this.#fileBytes()))
          size += batch[count++].line.length;
        const part = batch.slice(0, count);
        await this.#files.append(file, Buffer.concat(part.map(({ line }) => line)));
        batch.splice(0, count);
        for (const { suspect, at, line } of part) this.#account(file, suspect, at, line.length);
      }
    } catch (error) {
      this.#forget(batch, 'disk');
      this.#failed(error);
    }
  }

  /** Lets go of the oldest file when there are too many, and of those that are a month old. */
  async #makeRoom(): Promise<void> {
    for (;;) {
      const [oldest] = this.#files.files;
      if (oldest === undefined) return;
      const full =
        this.#files.files.length >= MAX_FILES && this.#files.files.at(-1)!.bytes >= this.#fileBytes();
      const old = (this.#usage.get(oldest)?.lastAt ?? 0) < this.#clock.now() - KEEP_MS;
      if (!full && !(old && this.#files.files.length > 1)) return;
      await this.#files.removeOldest();
      const usage = this.#usage.get(oldest);
      this.#usage.delete(oldest);
      for (const [reason, size] of usage?.reasons ?? []) {
        this.#reasonBytes.set(reason, (this.#reasonBytes.get(reason) ?? 0) - size);
        this.#bytes -= size;
      }
      for (const [device, size] of usage?.devices ?? [])
        this.#deviceBytes.set(device, (this.#deviceBytes.get(device) ?? 0) - size);
    }
  }

  /** Gives back what was charged for lines that did not come onto the disk. The day's allowance stays spent. */
  #forget(batch: readonly Pending[], why: string): void {
    for (const { suspect, line } of batch) {
      const device = suspect.device ?? '';
      this.#reasonBytes.set(suspect.reason, (this.#reasonBytes.get(suspect.reason) ?? 0) - line.length);
      this.#deviceBytes.set(device, (this.#deviceBytes.get(device) ?? 0) - line.length);
    }
    this.#dropped.add(why, batch.length);
  }

  #failed(error: unknown): void {
    this.#pausedUntilMs = this.#clock.monotonic() + PAUSE_AFTER_ERROR_MS;
    this.#log.warn('quarantine-unwritable', {
      error: error instanceof Error ? error.message : String(error),
    });
  }
}
