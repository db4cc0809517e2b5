/** Looks at what the quarantine holds, newest first, with one file in memory at a time. */
import { LF, type LineFile, type LineFiles } from './line-files.js';

/** One line of `intake-<number>.jsonl`. */
export interface Quarantined {
  /** `<number of the file>-<byte where its line begins>`. */
  readonly id: string;
  readonly at: number;
  readonly reason: string;
  readonly device?: string;
  readonly detail?: string;
  readonly link: string;
  readonly authentic: boolean;
  readonly bytes: Uint8Array;
}

export class QuarantineLines {
  readonly #files: LineFiles;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(files: LineFiles) {
    this.#files = files;
  }

  /**
   * @param after the id of the last one that is known; '' from the newest on
   * @param reason '' for every one
   * @throws the storage's error
   */
  list(limit: number, after: string, reason: string): Promise<{ items: Quarantined[]; more: boolean }> {
    return this.#alone(async () => {
      const [file, at] = after === '' ? [Number.POSITIVE_INFINITY, 0] : placeOf(after);
      const items: Quarantined[] = [];
      for (const { number } of [...this.#files.files].reverse()) {
        if (number > file) continue;
        const content = await this.#files.read(number);
        let end = number === file ? Math.min(at, content.length) : content.length;
        for (;;) {
          const line = lineBefore(content, end);
          if (line === undefined) break;
          end = line.from;
          const item = quarantined(number, content, line.from, line.to);
          if (item === undefined || (reason !== '' && item.reason !== reason)) continue;
          if (items.length === limit) return { items, more: true };
          items.push(item);
        }
      }
      return { items, more: false };
    });
  }

  /** Undefined when there is none of this id (any more). @throws the storage's error */
  find(id: string): Promise<Quarantined | undefined> {
    return this.#alone(async () => {
      const [number, from] = placeOf(id);
      if (!this.#files.files.some((file: LineFile) => file.number === number)) return undefined;
      const content = await this.#files.read(number);
      const to = content.indexOf(LF, from);
      // From the middle of a line, which is one object, nothing can be read.
      return to < 0 ? undefined : quarantined(number, content, from, to);
    });
  }

  /** One at a time, so that many who ask cost the memory of one. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#reading.then(run);
    this.#reading = result.catch(() => undefined);
    return result;
  }
}

function placeOf(id: string): [file: number, at: number] {
  const [file, at] = id.split('-').map(Number);
  return [file, at];
}

/** The whole line that ends before `end`. */
function lineBefore(content: Buffer, end: number): { from: number; to: number } | undefined {
  const to = end <= 0 ? -1 : content.lastIndexOf(LF, end - 1);
  if (to < 0) return undefined;
  return { from: to === 0 ? 0 : content.lastIndexOf(LF, to - 1) + 1, to };
}

/** Undefined for a line that a crash has torn. */
function quarantined(number: number, content: Buffer, from: number, to: number): Quarantined | undefined {
  let record: Partial<Record<string, unknown>>;
  try {
    record = JSON.parse(content.toString('utf8', from, to));
  } catch {
    return undefined;
  }
  if (typeof record !== 'object' || record === null) return undefined;
  const { at, reason, device, detail, link, authentic, bytes } = record;
  if (typeof at !== 'number' || typeof reason !== 'string' || typeof bytes !== 'string') return undefined;
  return {
    id: `${number}-${from}`,
    at,
    reason,
    ...(typeof device === 'string' && { device }),
    ...(typeof detail === 'string' && { detail }),
    link: typeof link === 'string' ? link : '',
    authentic: authentic === true,
    bytes: Buffer.from(bytes, 'base64url'),
  };
}
