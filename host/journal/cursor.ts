/**
 * How far one reader of the journal has got, durable.
 *
 * Two files, `<name>.a` and `<name>.b`, of 512 bytes each (one sector), written in turn and synced, so that
 * one of them is always whole. They are written to their full length when they are made: saving a cursor needs
 * no free space. The one with the higher generation and a sound checksum counts.
 *
 * ```
 * {"cursor":1,"generation":17,"offset":4711,"ranges":[[4800,4900]],"c":"1a2b3c4d"}␠␠␠…␠\n
 * ```
 * `offset`: everything below has been passed. `ranges`: at most 8 ranges [from, to) above it that have been
 * passed as well. `c`: CRC-32 over what precedes `,"c"`, as in the journal's lines.
 */

import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { Fault, systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import { MAX_OFFSET } from './entry.js';

export type OffsetRange = readonly [from: number, to: number];

/** What retention and offset allocation want to know of a cursor. */
export interface DurablePlace {
  /** Everything below is passed. */
  readonly offset: number;
  /** One more than the highest offset that the cursor has ever seen passed. */
  readonly end: number;
}

export const MAX_RANGES = 8;
const SLOT_BYTES = 512;
/** Then the file is replaced. */
const MAX_REFUSALS = 3;
const READ_TRIES = 3;

interface Slot {
  generation: number;
  offset: number;
  ranges: OffsetRange[];
}

export class Cursor implements DurablePlace {
  /** undefined: the medium doesn't give the file any more. */
  #files: [StorageFile | undefined, StorageFile | undefined];
  #slot: Slot;
  #turn: 0 | 1;
  #saving: Promise<void> = Promise.resolve();
  /** A slot that failed a write or a sync isn't trusted again before it has been opened anew. */
  readonly #paths: [string, string];
  readonly #storage: Storage;
  #broken: [boolean, boolean] = [false, false];
  /** Saves that have failed one after another because the medium refused. */
  #refusals = 0;

  private constructor(
    storage: Storage,
    paths: [string, string],
    files: [StorageFile | undefined, StorageFile | undefined],
    slot: Slot,
    turn: 0 | 1,
  ) {
    this.#storage = storage;
    this.#paths = paths;
    this.#files = files;
    this.#slot = slot;
    this.#turn = turn;
  }

  /**
   * Opens a cursor, making it (at offset 0) when there is none. Damaged files give offset 0: what has been
   * passed is then passed again, which is allowed; nothing is skipped.
   *
   * @param name of the uplink: letters, digits, `-`, `_`
   * @throws Fault `cursor-unusable` when the files can't be opened or made
   */
  static async open(storage: Storage, directory: string, name: string): Promise<Cursor> {
    const paths: [string, string] = [`${directory}/${name}.a`, `${directory}/${name}.b`];
    let first: StorageFile | undefined;
    let second: StorageFile | undefined;
    try {
      await storage.ensureDirectory(directory);
      const present = new Set(await storage.list(directory));
      first = await openSlot(storage, paths[0], present.has(`${name}.a`)).catch(unlessDead);
      second = await openSlot(storage, paths[1], present.has(`${name}.b`)).catch(unlessDead);
      await storage.syncDirectory(directory);
      const a = first && (await readSlot(first));
      const b = second && (await readSlot(second));
      // The older of the two is overwritten next, or the one that isn't sound.
      const turn = !a ? 0 : !b ? 1 : a.generation <= b.generation ? 0 : 1;
      const slot = (turn === 0 ? b : a) ?? { generation: 0, offset: 0, ranges: [] };
      const cursor = new Cursor(storage, paths, [first, second], slot, turn);
      // What was read may never have been synced. It is true all the same (it was written after the fact), so a
      // disk that refuses now costs repetitions at the worst.
      await cursor.save(slot.offset, slot.ranges).catch(() => undefined);
      return cursor;
    } catch (error) {
      for (const file of [first, second]) await file?.close().catch(() => undefined);
      if (error instanceof Fault) throw error;
      throw new Fault(
        'cursor-unusable',
        `can't use the cursor ${paths[0]}: ${String(error)}`,
        'check the permissions and the health of the disk of the data directory',
        error,
      );
    }
  }

  get offset(): number {
    return this.#slot.offset;
  }

  get ranges(): readonly OffsetRange[] {
    return this.#slot.ranges;
  }

  get end(): number {
    return this.#slot.ranges.reduce((end, range) => Math.max(end, range[1]), this.#slot.offset);
  }

  /**
   * Makes a new place durable; calls are carried out one after another.
   *
   * @param ranges at most `MAX_RANGES`, ascending, disjoint, above `offset`
   * @throws the storage's error when neither file could be written; the old place then still counts
   */
  save(offset: number, ranges: readonly OffsetRange[] = []): Promise<void> {
    const next = this.#saving.then(() => this.#write(offset, ranges));
    this.#saving = next.catch(() => undefined);
    return next;
  }

  async close(): Promise<void> {
    await this.#saving;
    await Promise.all(this.#files.map(file => file?.close()));
  }

  async #write(offset: number, ranges: readonly OffsetRange[]): Promise<void> {
    const slot: Slot = {
      generation: this.#slot.generation + 1,
      offset,
      ranges: ranges.map(r => [r[0], r[1]]),
    };
    const bytes = encodeSlot(slot);
    // Only the slot that isn't the present one may be written: the other one must stay whole meanwhile.
    const turn = this.#turn;
    try {
      let file = this.#files[turn];
      if (this.#broken[turn] || !file) {
        await file?.close().catch(() => undefined);
        this.#files[turn] = undefined;
        // One sector that has gone bad may not hold the cursor, and with it all segments, for ever.
        const path = this.#paths[turn];
        file = await (this.#refusals < MAX_REFUSALS
          ? this.#storage.open(path, 'update')
          : this.#replace(path));
        this.#files[turn] = file;
        this.#broken[turn] = false;
      }
      const written = await file.write(bytes, 0);
      if (written !== bytes.length) throw new Error(`short write of ${written} bytes`);
      await file.sync();
      this.#refusals = 0;
    } catch (error) {
      this.#broken[turn] = true;
      if (systemCode(error) === 'EIO') this.#refusals++;
      throw error;
    }
    this.#slot = slot;
    this.#turn = turn === 0 ? 1 : 0;
  }

  /** A new file in place of one that takes no writes. */
  async #replace(path: string): Promise<StorageFile> {
    const draft = `${path}.new`;
    await this.#storage.remove(draft).catch(() => undefined);
    const file = await openSlot(this.#storage, draft, false);
    try {
      await this.#storage.rename(draft, path);
      await this.#storage.syncDirectory(dirname(path));
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    return file;
  }
}

function unlessDead(error: unknown): undefined {
  if (systemCode(error) !== 'EIO') throw error;
  return undefined;
}

async function openSlot(storage: Storage, path: string, present: boolean): Promise<StorageFile> {
  const file = await storage.open(path, present ? 'update' : 'create');
  const bytes = await file.size().catch(async error => {
    await file.close().catch(() => undefined);
    throw error;
  });
  if (bytes >= SLOT_BYTES) return file;
  // Take the space now. When there is none, saving fails until there is; the gateway starts all the same.
  await file
    .write(new Uint8Array(SLOT_BYTES).fill(0x20), 0)
    .then(() => file.sync())
    .catch(() => undefined);
  return file;
}

async function readSlot(file: StorageFile): Promise<Slot | undefined> {
  const bytes = Buffer.alloc(SLOT_BYTES);
  // Without the newer slot much is published again: an error that passes is no reason for that.
  for (let tries = 1; ; tries++) {
    const length = await file.read(bytes, 0).catch(() => -1);
    if (length < 0 && tries < READ_TRIES) continue;
    return decodeSlot(bytes.subarray(0, Math.max(0, length)));
  }
}

function encodeSlot(slot: Slot): Uint8Array {
  const { offset, ranges } = slot;
  let last = offset;
  let sound = Number.isSafeInteger(offset) && offset >= 0 && ranges.length <= MAX_RANGES;
  for (const [from, to] of ranges) {
    sound &&= Number.isSafeInteger(to) && from > last && to > from;
    last = to;
  }
  if (!sound) throw new RangeError(`cursor ${offset} with ranges ${JSON.stringify(ranges)}`);
  const body = `{"cursor":1,"generation":${slot.generation},"offset":${offset},"ranges":${JSON.stringify(ranges)}`;
  const text = `${body},"c":"${crc32(body).toString(16).padStart(8, '0')}"}`;
  const bytes = Buffer.alloc(SLOT_BYTES, 0x20);
  bytes.write(text, 0, 'latin1');
  bytes[SLOT_BYTES - 1] = 0x0a;
  return bytes;
}

/** A cursor file's content; undefined when it isn't sound, to the byte what would be written for it. */
export function decodeSlot(bytes: Uint8Array): Slot | undefined {
  const text = Buffer.from(bytes).toString('latin1').trimEnd();
  const crcAt = text.lastIndexOf(',"c":"');
  if (
    crcAt < 0 ||
    text.slice(crcAt) !== `,"c":"${crc32(text.slice(0, crcAt)).toString(16).padStart(8, '0')}"}`
  ) {
    return undefined;
  }
  try {
    const slot = JSON.parse(text) as Slot & { cursor: number };
    const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
    const place = (n: unknown) => whole(n) && (n as number) <= MAX_OFFSET;
    if (slot.cursor !== 1 || !whole(slot.generation) || !place(slot.offset)) return undefined;
    const ranges = slot.ranges;
    if (!Array.isArray(ranges) || ranges.length > MAX_RANGES) return undefined;
    if (!ranges.every(r => Array.isArray(r) && place(r[0]) && place(r[1]))) return undefined;
    const read: Slot = {
      generation: slot.generation,
      offset: slot.offset,
      ranges: ranges.map(r => [r[0], r[1]] as const),
    };
    // Throws when the ranges are out of order.
    return Buffer.compare(encodeSlot(read), bytes) === 0 ? read : undefined;
  } catch {
    return undefined;
  }
}
