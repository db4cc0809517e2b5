/**
 * What `sovereign verify` is given, told by its content:
 *
 *   7b 22 …            `{"`: a segment of the journal, JSON lines
 *   anything else      CBOR: one envelope or wrapped frame, or a sequence of them (RFC 8742)
 *
 * Yields payloads, and what stands where a payload should be.
 */
import type { ReadingEntry } from '../../journal/entry.js';
import { LineReader } from '../../journal/line-reader.js';
import { Scanner } from '../../journal/scanner.js';
import type { StorageFile } from '../../ports.js';

export type Item =
  | {
      readonly kind: 'payload';
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly line?: ReadingEntry;
    }
  | { readonly kind: 'broken'; readonly at: number; readonly reason: 'line' | 'cbor' | 'truncated' }
  /** Normal at the end of a segment: the power went while it was written. */
  | { readonly kind: 'torn'; readonly at: number }
  | { readonly kind: 'gap'; readonly at: number; readonly device: string };

const MAX_NESTING = 16;

export async function* itemsOf(bytes: Uint8Array): AsyncGenerator<Item> {
  if (bytes[0] === 0x7b && bytes[1] === 0x22) yield* segmentItems(bytes);
  else yield* sequenceItems(bytes);
}

async function* segmentItems(bytes: Uint8Array): AsyncGenerator<Item> {
  const scanner = new Scanner(fileOf(bytes), new LineReader(), 0, bytes.length);
  while (await scanner.fill()) {
    for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
      const { at } = scanner;
      if (line === 'damaged') yield { kind: 'broken', at, reason: 'line' };
      else if (line === 'torn') yield { kind: 'torn', at };
      else if (line === 'blank') continue;
      else if (line.kind === 'reading') yield { kind: 'payload', at, bytes: line.bytes, line };
      else if (line.kind === 'gap') yield { kind: 'gap', at, device: line.device };
    }
  }
}

function* sequenceItems(bytes: Uint8Array): Generator<Item> {
  for (let at = 0; at < bytes.length; ) {
    const end = itemEnd(bytes, at, MAX_NESTING);
    if (typeof end === 'string') {
      yield { kind: 'broken', at, reason: end };
      return; // where the next item begins can't be known
    }
    yield { kind: 'payload', at, bytes: bytes.subarray(at, end) };
    at = end;
  }
}

/** Where the CBOR item that begins at `at` ends (RFC 8949, section 3), of any kind but indefinite length. */
function itemEnd(bytes: Uint8Array, at: number, depth: number): number | 'cbor' | 'truncated' {
  if (at >= bytes.length) return 'truncated';
  const major = bytes[at] >> 5;
  const short = bytes[at] & 31;
  if (short > 27 || depth === 0) return 'cbor';
  const width = short < 24 ? 0 : 1 << (short - 24);
  let end = at + 1 + width;
  if (end > bytes.length) return 'truncated';
  let value = short;
  if (width > 0) value = 0;
  for (let i = 1; i <= width; i++) value = value * 256 + bytes[at + i];
  if (major === 2 || major === 3) return end + value <= bytes.length ? end + value : 'truncated';
  const inner = major === 4 ? value : major === 5 ? 2 * value : major === 6 ? 1 : 0;
  for (let i = 0; i < inner; i++) {
    const next = itemEnd(bytes, end, depth - 1);
    if (typeof next === 'string') return next;
    end = next;
  }
  return end;
}

/** Bytes as a file to be read. */
function fileOf(bytes: Uint8Array): StorageFile {
  const never = () => Promise.reject(new Error('these bytes are for reading'));
  return {
    read: async (target, position) => {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
    write: never,
    sync: never,
    size: async () => bytes.length,
    close: async () => {},
  };
}
