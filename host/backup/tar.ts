/**
 * An archive in the ustar form of POSIX (pax, "ustar Interchange Format"), plain files only, so that `tar x` takes a
 * backup apart on any machine. Each member is a header of 512 bytes, then its bytes, filled up with zeros to a multiple of 512;
 * two blocks of zeros end it.
 *
 *   0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1 |
 *   257 "ustar\0" "00" | …
 *
 * Numbers are octal text. The checksum is the sum of the header's bytes, its own field taken as spaces.
 */
import { Fault } from '../fault.js';

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
/** What twelve characters of octal digits say. */
const MAX_SIZE_BYTES = 8 ** 11 - 1;
const FILE = 0x30;
const MAGIC = 'ustar\u000000';
const ZEROS = new Uint8Array(BLOCK_BYTES);

export type Chunks = AsyncIterable<Uint8Array>;

/** The header of a member. @throws RangeError for a name or a size that the form can't say */
export function memberHeader(name: string, sizeBytes: number, mtimeMs: number): Uint8Array {
  if (!/^[\x21-\x7e]{1,99}$/.test(name)) throw new RangeError(`member name ${JSON.stringify(name)}`);
  if (!(sizeBytes >= 0 && sizeBytes <= MAX_SIZE_BYTES)) throw new RangeError(`member of ${sizeBytes} bytes`);
  const header = Buffer.alloc(BLOCK_BYTES);
  const seconds = Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), MAX_SIZE_BYTES);
  header.write(name, 0, 'latin1');
  header.write('0000600\0', 100, 'latin1');
  header.write('0000000\0', 108, 'latin1');
  header.write('0000000\0', 116, 'latin1');
  header.write(`${octal(sizeBytes, 11)}\0`, 124, 'latin1');
  header.write(`${octal(seconds, 11)}\0`, 136, 'latin1');
  header[156] = FILE;
  header.write(MAGIC, 257, 'latin1');
  header.write(`${octal(checksum(header), 6)}\0 `, 148, 'latin1');
  return header;
}

/** The zeros behind a member of this size. */
export function padding(sizeBytes: number): Uint8Array {
  return ZEROS.subarray(0, (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** What ends an archive. */
export const END = new Uint8Array(2 * BLOCK_BYTES);

export interface Member {
  readonly name: string;
  readonly sizeBytes: number;
  /** To be read to its end before the next member is asked for; what is left is passed over. */
  readonly body: Chunks;
}

/** Takes an archive apart. @throws Fault `backup-form` for what is no such archive */
export async function* membersOf(archive: Chunks): AsyncGenerator<Member> {
  const input = new Input(archive);
  for (;;) {
    const header = await input.exactly(BLOCK_BYTES);
    if (header.every(byte => byte === 0)) break;
    const { name, sizeBytes } = readHeader(header);
    let left = sizeBytes;
    const body = (async function* () {
      while (left > 0) {
        const part = await input.some(left);
        left -= part.length;
        yield part;
      }
    })();
    yield { name, sizeBytes, body };
    for await (const _ of body);
    while (left > 0) left -= (await input.some(left)).length;
    await input.exactly(padding(sizeBytes).length);
  }
  // To the end: only there does the encryption say that nothing was cut off.
  await input.zeros();
}

function readHeader(header: Uint8Array): { name: string; sizeBytes: number } {
  const text = Buffer.from(header).toString('latin1');
  const field = (at: number, bytes: number) => text.slice(at, at + bytes).replace(/[\0 ]+$/, '');
  const number = (at: number, bytes: number) =>
    /^[0-7]+$/.test(field(at, bytes)) ? Number.parseInt(field(at, bytes), 8) : Number.NaN;
  const sizeBytes = number(124, 12);
  if (!text.startsWith('ustar', 257) || number(148, 8) !== checksum(header) || Number.isNaN(sizeBytes))
    throw formFault('its contents are no tar archive');
  if (header[156] !== FILE && header[156] !== 0)
    throw formFault(`${JSON.stringify(field(0, NAME_BYTES))} in it is no plain file`);
  return { name: field(0, NAME_BYTES), sizeBytes };
}

function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i];
  return sum;
}

const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');

export function formFault(what: string): Fault {
  return new Fault(
    'backup-form',
    `this is no backup of a gateway: ${what}`,
    'give a file that `sovereign backup` has made',
  );
}

/** Bytes of a stream, as many as are wanted at a time. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: Chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** From 1 to `max` bytes. */
  async some(max: number): Promise<Uint8Array> {
    if (!(await this.#more())) throw formFault('it ends in the middle');
    const part = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }

  async exactly(bytes: number): Promise<Uint8Array> {
    const whole = new Uint8Array(bytes);
    for (let at = 0; at < bytes; ) {
      const part = await this.some(bytes - at);
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** Nothing but zeros may follow. */
  async zeros(): Promise<void> {
    while (await this.#more()) {
      if (this.#chunk.some(byte => byte !== 0)) throw formFault('something stands behind its end');
      this.#chunk = this.#chunk.subarray(this.#chunk.length);
    }
  }

  async #more(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return false;
      this.#chunk = value;
    }
    return true;
  }
}
