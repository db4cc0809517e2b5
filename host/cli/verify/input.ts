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
import { payloadsOf } from '../../journal/payload-sequence.js';
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
  let at = 0;
  for (const item of payloadsOf(bytes)) {
    if (typeof item === 'string') {
      yield { kind: 'broken', at, reason: item };
      return;
    }
    yield { kind: 'payload', at, bytes: item };
    at += item.length;
  }
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
