/**
 * Checks and repairs a journal that isn't there: lines are made as they are read, and what is written is forgotten.
 * To be run with a small heap: `node --max-old-space-size=16 ruined.js MIB`.
 */
import { walk } from '../../../host/journal/check.js';
import { LineWriter, MARK_BYTES, MAX_LINE_BYTES, writeMark } from '../../../host/journal/line-writer.js';
import { segmentName } from '../../../host/journal/names.js';
import { repair } from '../../../host/journal/repair.js';
import type { LinkingStorage, StorageFile } from '../../../host/ports.js';
import { DEVICES, DIRECTORY, reading } from './world.js';

const FIRST = 1_000_000_000;
const writer = new LineWriter();
const line = Buffer.alloc(MAX_LINE_BYTES);
const sample = reading(DEVICES[0], 1, 2_000_000);
const LINE_BYTES = writer.entry(line, 0, FIRST, sample);

/** The first half has every second line damaged, the other half all; the last is a mark, so that all counts as synced. */
function fill(index: number, lines: number): void {
  writer.entry(line, 0, FIRST + 1 + index, { ...sample, seq: 2_000_000 + index });
  if (index % 2 === 1 || index > lines / 2) line[30] ^= 1;
}

class Made implements StorageFile {
  readonly #lines: number;
  readonly #bytes: number;

  constructor(lines: number) {
    this.#lines = lines;
    this.#bytes = lines * LINE_BYTES + MARK_BYTES;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const end = Math.min(position + target.length, this.#bytes);
    for (let at = position; at < end; ) {
      const index = Math.floor(at / LINE_BYTES);
      if (index < this.#lines) fill(index, this.#lines);
      else writeMark(line, 0, this.#lines * LINE_BYTES);
      const from = at - index * LINE_BYTES;
      const part = line.subarray(from, Math.min(LINE_BYTES, from + end - at));
      target.set(part, at - position);
      at += part.length;
    }
    return Math.max(0, end - position);
  }

  async write(source: Uint8Array): Promise<number> {
    return source.length;
  }

  async sync(): Promise<void> {}

  async size(): Promise<number> {
    return this.#bytes;
  }

  async close(): Promise<void> {}
}

const total = Number(process.argv[2]) * 2 ** 20;
const half = Math.floor(total / 2 / LINE_BYTES);
const other = FIRST + 2 * half + 10;
/** Two segments, so that the first is bounded by something that can't be believed either. */
const storage: LinkingStorage = {
  list: async directory => (directory === DIRECTORY ? [segmentName(FIRST), segmentName(other)] : []),
  ensureDirectory: async () => undefined,
  syncDirectory: async () => undefined,
  open: async (_, mode) => new Made(mode === 'create' ? 0 : half),
  rename: async () => undefined,
  remove: async () => undefined,
  link: async () => undefined,
  space: async () => ({ availableBytes: 1e12, totalBytes: 1e12 }),
};

let ranges = 0;
await walk(storage, DIRECTORY, 0, { torn: () => void ranges++, damage: () => void ranges++ });
await repair(storage, DIRECTORY, () => undefined);
process.stdout.write(`${ranges} ranges, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB resident\n`);
