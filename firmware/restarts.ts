/**
 * Why the board started, and whether it has been starting too often. A few bytes that outlive a restart:
 *
 *   offset  bytes  what
 *        0      4  53 56 52 31 ("SVR1")
 *        4      1  restarts in a row that came before the board had run for a minute, at most 255
 *        5      1  length of the text
 *        6    128  why the program ended, UTF-8; nothing when it did not say
 *      134      4  CRC-32 of the 134 bytes before, big-endian
 *
 * Each start of an epoch costs flash and a number, and a program that fails at once would go on to fail: after
 * three such restarts the next ones wait, twice as long each time.
 */
import type { RestartMemory } from './ports.js';
import { Crc32, fromUtf8, utf8 } from './seal/index.js';
import { readUint, writeUint } from './store/sector.js';

export const RESTART_RECORD_BYTES = 138;
const MAX_TEXT_BYTES = 128;
const TEXT_AT = 6;
const CRC_AT = TEXT_AT + MAX_TEXT_BYTES;
/** Restarts in a row that cost nothing. */
const FREE_RESTARTS = 3;
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 256_000;
/** A board that has run so long has not failed at once. */
const STEADY_MS = 60_000;

export class Restarts {
  /** For the start reading and the hello: what the program said when it ended, or else why the chip started. */
  reason = '';
  /** How long to wait before an epoch is begun. */
  waitMs = 0;
  /** Restarts in a row before this one, none of which ran for a minute. */
  fast = 0;
  readonly #memory: RestartMemory;
  readonly #record = new Uint8Array(RESTART_RECORD_BYTES);
  readonly #crc = new Crc32();
  #steady = false;

  constructor(memory: RestartMemory) {
    this.#memory = memory;
  }

  /**
   * To be called once, before anything else can fail.
   * @param cause what the chip says: `power-on`, `watchdog`, `reset`, `brown-out` …
   */
  boot(cause: string): void {
    const record = this.#record;
    const text = this.#load() ? (fromUtf8(record, TEXT_AT, TEXT_AT + record[5]) ?? '') : '';
    this.reason = text === '' ? cause : text;
    this.fast = record[4];
    this.waitMs = 0;
    if (this.fast >= FREE_RESTARTS)
      this.waitMs = Math.min(FIRST_WAIT_MS * 2 ** (this.fast - FREE_RESTARTS), MAX_WAIT_MS);
    this.#save(Math.min(this.fast + 1, 255), '');
  }

  /** The program is about to end because of this; then the board is to be restarted. */
  fault(text: string): void {
    this.#load();
    this.#save(this.#record[4], `fault: ${text}`);
  }

  /** To be called now and then: after a minute, the restarts before are forgotten. */
  running(uptimeMs: number): void {
    if (this.#steady || uptimeMs < this.waitMs + STEADY_MS) return;
    this.#steady = true;
    this.#save(0, '');
  }

  #load(): boolean {
    const record = this.#record;
    const whole =
      this.#memory.read(record) &&
      readUint(record, 0, 4) === 0x53565231 &&
      readUint(record, CRC_AT, 4) === this.#crc.compute(record, 0, CRC_AT) >>> 0 &&
      record[5] <= MAX_TEXT_BYTES;
    if (!whole) record.fill(0);
    return whole;
  }

  #save(fast: number, text: string): void {
    const record = this.#record;
    record.fill(0);
    writeUint(record, 0, 4, 0x53565231);
    record[4] = fast;
    const bytes = utf8(text, MAX_TEXT_BYTES);
    record[5] = bytes.length;
    record.set(bytes, TEXT_AT);
    writeUint(record, CRC_AT, 4, this.#crc.compute(record, 0, CRC_AT) >>> 0);
    // A memory that fails costs the reason and the back-off, never the start.
    this.#memory.write(record);
  }
}
