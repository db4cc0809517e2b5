/** Frames in a byte stream: `FrameDecoder`, against a decoder that sees the whole stream at once. */

import { crc32 } from 'node:zlib';
import { FrameDecoder, FrameEncoder, MAX_FRAME_BYTES } from '../../firmware/seal/index.js';
import { chunks, ensure, made, mutated, same, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const encoder = new FrameEncoder();

function framed(type: number, body: Uint8Array): Uint8Array {
  return encoder.buffer.slice(0, encoder.encode(type, body));
}

/** Runs with and without zeros, around the length of a COBS block. */
function body(dice: Dice): Uint8Array {
  if (!dice.oneIn(3)) return dice.bytes(dice.below(40));
  const out: number[] = [];
  for (let runs = dice.below(5); runs > 0; runs--) {
    const fill = dice.pick([0, 1, 255, 7]);
    for (let n = dice.oneIn(2) ? dice.below(5) : 250 + dice.below(8); n > 0; n--) out.push(fill);
  }
  return Uint8Array.from(out);
}

interface Seen {
  readonly frames: Uint8Array[];
  noiseFrames: number;
  oversized: number;
  noiseBytes: number;
}

/** What stands between zeros, one after another; the end of the stream is no delimiter. */
function expected(stream: Uint8Array, maxBytes: number): Seen {
  const seen: Seen = { frames: [], noiseFrames: 0, oversized: 0, noiseBytes: 0 };
  for (let at = 0, end = stream.indexOf(0); end >= 0; at = end + 1, end = stream.indexOf(0, at)) {
    const part = stream.subarray(at, end);
    if (part.length === 0) continue;
    const frame = part.length > maxBytes ? undefined : decoded(part);
    if (frame !== undefined) seen.frames.push(frame);
    else {
      seen.noiseBytes += part.length;
      if (part.length > maxBytes) seen.oversized++;
      else seen.noiseFrames++;
    }
  }
  return seen;
}

/** Type and body; undefined unless the encoder would make these very bytes of them. */
function decoded(part: Uint8Array): Uint8Array | undefined {
  const out: number[] = [];
  for (let i = 0; i < part.length; ) {
    const code = part[i];
    if (i + code > part.length) return undefined;
    for (let k = 1; k < code; k++) out.push(part[i + k]);
    i += code;
    if (code < 255 && i < part.length) out.push(0);
  }
  if (out.length < 5) return undefined;
  const bytes = Buffer.from(out);
  if (crc32(bytes.subarray(0, -4)) !== bytes.readUInt32BE(bytes.length - 4)) return undefined;
  const frame = bytes.subarray(0, -4);
  return same(framed(frame[0], frame.subarray(1)).subarray(0, -1), part) ? frame : undefined;
}

/** What a decoder finds when the stream comes in pieces. */
function found(pieces: Iterable<Uint8Array>, maxBytes: number): Seen {
  const frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((type, buffer, from, to) => {
    ensure(buffer.length <= maxBytes, `a buffer of ${buffer.length} bytes`);
    frames.push(Uint8Array.from([type, ...buffer.subarray(from, to)]));
  }, maxBytes);
  for (const piece of pieces) decoder.push(piece);
  ensure(decoder.frames === frames.length, 'frames are miscounted');
  const { noiseFrames, oversized, noiseBytes } = decoder;
  return { frames, noiseFrames, oversized, noiseBytes };
}

function agree(stream: Uint8Array, pieces: Iterable<Uint8Array>, maxBytes: number): number {
  const want = expected(stream, maxBytes);
  const got = found(pieces, maxBytes);
  ensure(got.frames.length === want.frames.length, `${got.frames.length} frames, not ${want.frames.length}`);
  for (const [i, frame] of got.frames.entries()) ensure(same(frame, want.frames[i]), `frame ${i} differs`);
  for (const count of ['noiseFrames', 'oversized', 'noiseBytes'] as const)
    ensure(got[count] === want[count], `${count} ${got[count]}, not ${want[count]}`);
  return got.frames.length;
}

const WORDS = words([0], [0, 0], [1], [0xff], [2, 1], [5, 1, 1, 1, 1], 'rst:0x1 (POWERON),boot:0x13\r\n');

const streams = mutated('any stream, cut anywhere: the same frames and counts as from the whole', {
  pool: dice =>
    Array.from({ length: 100 }, () => {
      const parts: Uint8Array[] = [];
      for (let n = 1 + dice.below(4); n > 0; n--) {
        if (dice.oneIn(4)) parts.push(dice.bytes(dice.below(20)), Uint8Array.of(0));
        parts.push(framed(dice.below(256), body(dice)));
      }
      return Buffer.concat(parts);
    }),
  words: WORDS,
  maxBytes: 9000,
  check(stream, dice) {
    const maxBytes = dice.pick([6, 64, 300, MAX_FRAME_BYTES, MAX_FRAME_BYTES]);
    const count = agree(stream, chunks(stream, dice), maxBytes);
    return count > 0 || maxBytes < MAX_FRAME_BYTES;
  },
});

/** Any codes around any blocks: sound checksums, but COBS as no encoder of ours would write it. */
const codes = made('blocks of any length with a right checksum', dice => {
  const content = Buffer.from(Uint8Array.of(dice.below(256), ...body(dice)));
  const checked = Buffer.alloc(content.length + 4);
  content.copy(checked);
  checked.writeUInt32BE(crc32(content), content.length);
  const out: number[] = [];
  for (let i = 0; i <= checked.length; ) {
    let block = 0;
    while (i + block < checked.length && checked[i + block] !== 0 && block < 254) block++;
    out.push(block + 1, ...checked.subarray(i, i + block));
    i += block;
    if (block < 254) i++;
    else if (i === checked.length && dice.oneIn(2)) break;
  }
  const stream = Uint8Array.from([...out, 0, ...framed(1, content), 0]);
  agree(stream, chunks(stream, dice), MAX_FRAME_BYTES);
});

const inverse = made('what is framed comes out', dice => {
  const frames = Array.from({ length: 1 + dice.below(3) }, () => ({
    type: dice.below(256),
    body: body(dice),
  }));
  const stream = Buffer.concat(frames.map(one => framed(one.type, one.body)));
  const seen = found(chunks(stream, dice), MAX_FRAME_BYTES);
  ensure(seen.frames.length === frames.length && seen.noiseBytes === 0, 'not all came');
  for (const [i, frame] of seen.frames.entries())
    ensure(frame[0] === frames[i].type && same(frame.subarray(1), frames[i].body), `frame ${i} differs`);
});

export const frame: Target = { name: 'frame', properties: [streams, codes, inverse] };
