/**
 * Lets old segments go: whole ones, oldest first, never the last, and only once every durable cursor has
 * passed them. The directory is synced after each, so that no crash leaves a hole in the middle.
 */
import { systemCode } from '../fault.js';
import type { Clock, Log, Storage } from '../ports.js';
import type { DurablePlace } from './cursor.js';
import { segmentName } from './names.js';
import { readHeader } from './segment.js';

export interface RetentionLimits {
  /** 0: no limit. */
  retainMs: number;
  retainBytes: number;
}

export class Retention {
  readonly #ports: { storage: Storage; clock: Clock; log: Log };
  readonly #directory: string;
  readonly #limits: RetentionLimits;
  readonly #sizes = new Map<number, number>();
  #running: Promise<number> = Promise.resolve(0);

  constructor(
    ports: { storage: Storage; clock: Clock; log: Log },
    directory: string,
    limits: RetentionLimits,
  ) {
    this.#ports = ports;
    this.#directory = directory;
    this.#limits = limits;
  }

  /**
   * Removes what may go and resolves to how many segments went.
   *
   * @param segments ascending; those removed are taken out
   * @param cursors looked at anew before each removal
   */
  run(segments: number[], cursors: Iterable<DurablePlace>): Promise<number> {
    this.#running = this.#running
      .then(() => this.#run(segments, cursors))
      .catch(error => {
        this.#ports.log.warn('journal-retention-failed', { error: systemCode(error) || String(error) });
        return 0;
      });
    return this.#running;
  }

  async #run(segments: number[], cursors: Iterable<DurablePlace>): Promise<number> {
    const { retainMs, retainBytes } = this.#limits;
    if (retainMs <= 0 && retainBytes <= 0) return 0;
    let total = retainBytes > 0 ? await this.#total(segments) : 0;
    let removed = 0;
    while (segments.length > 1) {
      const [oldest, next] = segments;
      for (const cursor of cursors) if (cursor.offset < next) return removed;
      const tooLarge = retainBytes > 0 && total > retainBytes;
      if (!tooLarge && !(await this.#tooOld(segments))) return removed;
      total -= this.#sizes.get(oldest) ?? 0;
      await this.#remove(oldest);
      segments.shift();
      this.#sizes.delete(oldest);
      removed++;
    }
    return removed;
  }

  /**
   * The oldest ended when the next one began. When nothing tells when that was, because the medium or somebody has
   * destroyed it or it can't be read, a later one says at least as late.
   */
  async #tooOld(segments: readonly number[]): Promise<boolean> {
    const { retainMs } = this.#limits;
    if (retainMs <= 0) return false;
    for (const later of segments.slice(1)) {
      const header = await readHeader(this.#ports.storage, this.#directory, later).catch(() => undefined);
      if (header !== undefined) return this.#ports.clock.now() - header.at > retainMs;
    }
    return false;
  }

  async #total(segments: readonly number[]): Promise<number> {
    let total = 0;
    for (const first of segments) {
      let bytes = this.#sizes.get(first);
      if (bytes === undefined) {
        bytes = await this.#size(first);
        // The last one still grows.
        if (first !== segments[segments.length - 1]) this.#sizes.set(first, bytes);
      }
      total += bytes;
    }
    return total;
  }

  /** 0 for one that somebody else has removed: it may not stop what comes after it from going. */
  async #size(first: number): Promise<number> {
    const path = `${this.#directory}/${segmentName(first)}`;
    const file = await this.#ports.storage.open(path, 'read').catch(unlessGone);
    return (await file?.size().finally(() => file.close())) ?? 0;
  }

  async #remove(first: number): Promise<void> {
    const { storage, log } = this.#ports;
    const name = segmentName(first);
    await storage.remove(`${this.#directory}/${name}`).catch(unlessGone);
    await storage.syncDirectory(this.#directory);
    log.info('journal-segment-removed', { segment: name });
  }
}

function unlessGone(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
}
