/**
 * Settings: what a board was told besides its keys (name, Wi-Fi, where the gateway is), in two erase sectors of
 * their own, so that no write of theirs ever touches a key. One record at the beginning of a sector:
 *
 *   offset  bytes  what
 *        0      4  53 56 43 31 ("SVC1")
 *        4      4  number of the record, big-endian: the higher of two valid ones counts
 *        8      2  length n of the settings, big-endian
 *       10      n  settings, CBOR (`seal/provisioning.ts`)
 *     10+n      4  CRC-32 of everything before, big-endian
 *
 * A new record goes into the sector that does not hold the present one, which stays until then: wherever the power
 * is cut, the old settings are there or the new ones. After the new one has been read back, the old sector is erased,
 * so that a password that was replaced does not stay readable.
 */
import type { Flash } from '../ports.js';
import { type BoardSettings, Crc32, decodeSettings, encodeSettings } from '../seal/index.js';
import { readBack, readUint, writeUint } from './sector.js';

/** Sectors that the settings take. */
export const SETTINGS_SECTORS = 2;

const HEAD_BYTES = 10;
const TAIL_BYTES = 4;
const MAX_SETTINGS_BYTES = 1408;

export class SettingsStore {
  readonly #flash: Flash;
  readonly #first: number;
  readonly #crc = new Crc32();
  readonly #head: Uint8Array;
  #held = -1;
  #number = 0;

  /** The records lie in the sectors `first` and `first + 1`. */
  constructor(flash: Flash, first: number) {
    if (first + SETTINGS_SECTORS > flash.sectors) throw new RangeError('settings: not enough flash sectors');
    if (HEAD_BYTES + MAX_SETTINGS_BYTES + TAIL_BYTES > flash.sectorBytes)
      throw new RangeError('settings: sectors too small');
    this.#flash = flash;
    this.#first = first;
    this.#head = new Uint8Array(HEAD_BYTES);
  }

  /** The settings, or undefined when there are none that can be read. */
  load(): BoardSettings | undefined {
    let found: BoardSettings | undefined;
    this.#held = -1;
    this.#number = 0;
    for (let i = 0; i < SETTINGS_SECTORS; i++) {
      const settings = this.#read(i);
      const number = readUint(this.#head, 4, 4);
      if (settings === undefined || (found !== undefined && number <= this.#number)) continue;
      found = settings;
      this.#held = i;
      this.#number = number;
    }
    return found;
  }

  /** Makes the settings durable in place of those before. @returns '' or what failed: then the old ones hold */
  save(settings: BoardSettings): string {
    const body = encodeSettings(settings);
    if (typeof body === 'string') return body;
    if (body.length > MAX_SETTINGS_BYTES) return 'settings: too long';
    this.load();
    const old = this.#held;
    const target = old === 0 ? 1 : 0;
    const unit = this.#flash.programBytes;
    const bytes = HEAD_BYTES + body.length + TAIL_BYTES;
    const record = new Uint8Array(Math.ceil(bytes / unit) * unit).fill(0xff);
    writeUint(record, 0, 4, 0x53564331);
    writeUint(record, 4, 4, this.#number + 1);
    writeUint(record, 8, 2, body.length);
    record.set(body, HEAD_BYTES);
    writeUint(record, bytes - TAIL_BYTES, 4, this.#crc.compute(record, 0, bytes - TAIL_BYTES) >>> 0);
    if (!this.#flash.erase(this.#first + target)) return 'flash erase failed';
    if (!this.#flash.program(this.#first + target, 0, record)) return 'flash program failed';
    const check = new Uint8Array(record.length);
    if (!readBack(this.#flash, this.#first + target, 0, record, check))
      return 'settings unreadable after writing';
    this.#held = target;
    this.#number++;
    record.fill(0);
    check.fill(0);
    // A failure to take the old ones away leaves two records, of which the newer counts.
    if (old >= 0) this.#flash.erase(this.#first + old);
    return '';
  }

  /** Forgets them. @returns '' or what failed */
  erase(): string {
    this.#held = -1;
    const first = this.#flash.erase(this.#first);
    return this.#flash.erase(this.#first + 1) && first ? '' : 'flash erase failed';
  }

  #read(sector: number): BoardSettings | undefined {
    const head = this.#head;
    this.#flash.read(this.#first + sector, 0, head);
    if (readUint(head, 0, 4) !== 0x53564331) return undefined;
    const length = readUint(head, 8, 2);
    if (length > MAX_SETTINGS_BYTES) return undefined;
    const record = new Uint8Array(HEAD_BYTES + length + TAIL_BYTES);
    this.#flash.read(this.#first + sector, 0, record);
    const end = HEAD_BYTES + length;
    if (readUint(record, end, 4) !== this.#crc.compute(record, 0, end) >>> 0) return undefined;
    const settings = decodeSettings(record, HEAD_BYTES, end);
    return typeof settings === 'string' ? undefined : settings;
  }
}
