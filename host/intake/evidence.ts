/**
 * Two different readings for one (device, epoch, sequence) prove that somebody else has the device's key. Each
 * such pair is a file of its own, `<device>-<epoch>-<sequence>-<tag8>.json`, written whole under another name
 * and renamed, so what bears the name is complete:
 *
 *   {"at":…,"device":"…","epoch":…,"seq":…,"verdict":"fork","link":"…",
 *    "refused":{"tag8":"…","bytes":"<base64url>"},"held":{"tag8":"…","epoch":…,"seq":…,"offset":…,"bytes":"<base64url>"}}
 *
 * `held` is what the journal has against it, as far as that is known. Nothing here is ever evicted. When a
 * device has used up its share, further pairs are counted only: what is there proves enough.
 */
import { Fault, systemCode } from '../fault.js';
import type { Clock, Log, Storage } from '../ports.js';

export interface EvidenceOptions {
  /** Absolute path; made when absent. */
  readonly directory: string;
  /** All together; beyond it, a device of which there is none yet may still leave one. */
  readonly maxBytes: number;
}

export interface EvidenceRecord {
  readonly device: string;
  readonly epoch: number;
  readonly seq: number;
  /** `fork`, or `stale` for a reading that the gateway no longer remembers and the device won't let go. */
  readonly verdict: string;
  readonly link: string;
  /** 16 hex digits. */
  readonly tag8: string;
  /** The refused envelope or frame; not touched afterwards. */
  readonly bytes: Uint8Array;
}

/** What the journal has against it. */
export interface HeldReading {
  readonly tag8: string;
  readonly epoch: number;
  readonly seq: number;
  /** -1: not known. */
  readonly offset: number;
  readonly bytes?: Uint8Array | undefined;
}

/** `stored`: durable, now or since an earlier time. `full`: only counted. `failed`: the disk refused; try again. */
export type EvidenceOutcome = 'stored' | 'full' | 'failed';

export interface EvidenceFacts {
  readonly stored: number;
  readonly bytes: number;
  /** Pairs beyond the limits. */
  readonly beyond: number;
}

const MAX_FILES_PER_DEVICE = 64;
const MAX_WAITING = 64;
/** Of a file, beside the two readings. */
const FRAME_BYTES = 400;
const NAME = /^([0-9a-f]{16})-\d+-\d+-[0-9a-f]{16}\.json$/;

export class Evidence {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: EvidenceOptions;
  readonly #stored = new Set<string>();
  readonly #perDevice = new Map<string, number>();
  /** Devices of which there is a durable pair. */
  readonly #proven = new Set<string>();
  readonly #waiting = new Map<string, Promise<EvidenceOutcome>>();
  #queue: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #beyond = 0;

  private constructor(ports: { storage: Storage; clock: Clock; log: Log }, options: EvidenceOptions) {
    this.#storage = ports.storage;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#options = options;
  }

  /** @throws Fault `evidence-unusable` when the directory can't be made, listed or synced */
  static async open(
    ports: { storage: Storage; clock: Clock; log: Log },
    options: EvidenceOptions,
  ): Promise<Evidence> {
    const evidence = new Evidence(ports, options);
    try {
      await evidence.#load();
    } catch (error) {
      throw new Fault(
        'evidence-unusable',
        `the directory ${options.directory} can't be used: ${systemCode(error) || String(error)}`,
        'check that it is a directory which this user may read and write, on a disk that works',
        error,
      );
    }
    return evidence;
  }

  /**
   * The same pair again costs nothing.
   *
   * @param held finds the other reading of the pair; called only when the pair is to be written, one at a time: a
   * look into the journal goes through a whole segment, and whoever has a device's key can make forks without end
   */
  store(record: EvidenceRecord, held: () => Promise<HeldReading | undefined>): Promise<EvidenceOutcome> {
    const name = `${record.device}-${record.epoch}-${record.seq}-${record.tag8}.json`;
    if (this.#stored.has(name)) return Promise.resolve('stored');
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting;
    const share = this.#perDevice.get(record.device) ?? 0;
    const expectedBytes = FRAME_BYTES + 3 * record.bytes.length; // both readings, in base64url
    if (
      share >= MAX_FILES_PER_DEVICE ||
      (share > 0 && this.#bytes + expectedBytes > this.#options.maxBytes)
    ) {
      if (this.#proven.has(record.device)) {
        this.#beyond++;
        this.#log.debug('fork-beyond', { device: record.device, evidence: name });
        return Promise.resolve('full');
      }
      // What is there proves enough once it is there: the first is still being written, and may fail.
      return this.#afterwards(name, () => this.store(record, held));
    }
    if (this.#waiting.size >= MAX_WAITING) return Promise.resolve('failed');
    this.#charge(record.device, 1, expectedBytes); // now, so that those that wait count too
    const writing = this.#queue
      .then(async () => {
        const body = Buffer.from(this.#encode(record, await held()));
        const outcome = await this.#write(name, body, record.device);
        if (outcome === 'stored') this.#charge(record.device, 0, body.length - expectedBytes);
        else this.#charge(record.device, -1, -expectedBytes);
        return outcome;
      })
      .finally(() => this.#waiting.delete(name));
    this.#waiting.set(name, writing);
    this.#queue = writing;
    return writing;
  }

  #afterwards(name: string, again: () => Promise<EvidenceOutcome>): Promise<EvidenceOutcome> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.resolve('failed');
    const waiting = this.#queue.then(() => {
      this.#waiting.delete(name);
      return again();
    });
    this.#waiting.set(name, waiting);
    return waiting;
  }

  /** Resolves when nothing waits any more. */
  async close(): Promise<void> {
    await this.#queue;
  }

  status(): EvidenceFacts {
    return { stored: this.#stored.size, bytes: this.#bytes, beyond: this.#beyond };
  }

  async #load(): Promise<void> {
    const { directory } = this.#options;
    await this.#storage.ensureDirectory(directory);
    for (const name of await this.#storage.list(directory)) {
      const match = NAME.exec(name);
      if (match === null) continue;
      // Its name alone says which pair it proves: one that the medium gives no more is no reason not to start.
      const bytes = await this.#size(`${directory}/${name}`).catch(error => {
        this.#log.warn('evidence-unreadable', { evidence: name, error: systemCode(error) || String(error) });
        return 0;
      });
      this.#charge(match[1], 1, bytes);
      this.#stored.add(name);
      this.#proven.add(match[1]);
    }
    // A name that is visible now may not be durable yet, and counts as stored from here on.
    await this.#storage.syncDirectory(directory);
  }

  async #size(path: string): Promise<number> {
    const file = await this.#storage.open(path, 'read');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  async #write(name: string, body: Buffer, device: string): Promise<EvidenceOutcome> {
    const { directory } = this.#options;
    const draft = `${directory}/draft`;
    try {
      await this.#storage.remove(draft).catch(() => {});
      const file = await this.#storage.open(draft, 'create');
      try {
        for (let done = 0; done < body.length; ) {
          const written = await file.write(body.subarray(done), done);
          if (written === 0) throw new Error('nothing was written');
          done += written;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#storage.rename(draft, `${directory}/${name}`);
      await this.#storage.syncDirectory(directory);
    } catch (error) {
      this.#log.error('evidence-unwritable', { device, error: (error as Error).message });
      return 'failed';
    }
    this.#stored.add(name);
    this.#proven.add(device);
    this.#log.error('fork', { device, evidence: name });
    return 'stored';
  }

  #charge(device: string, files: number, bytes: number): void {
    this.#perDevice.set(device, (this.#perDevice.get(device) ?? 0) + files);
    this.#bytes += bytes;
  }

  #encode(record: EvidenceRecord, held: HeldReading | undefined): string {
    const { device, epoch, seq, verdict, link, tag8, bytes } = record;
    const refused = { tag8, bytes: Buffer.from(bytes).toString('base64url') };
    const against = held && {
      tag8: held.tag8,
      epoch: held.epoch,
      seq: held.seq,
      offset: held.offset < 0 ? undefined : held.offset,
      bytes: held.bytes && Buffer.from(held.bytes).toString('base64url'),
    };
    const at = this.#clock.now();
    return `${JSON.stringify({ at, device, epoch, seq, verdict, link, refused, held: against })}\n`;
  }
}
