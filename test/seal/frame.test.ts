import test from 'ava';
import fc from 'fast-check';
import {
  cobsBound,
  cobsEncode,
  FrameDecoder,
  FrameEncoder,
  MAX_BODY_BYTES,
} from '../../firmware/seal/index.js';
import { toHex } from './support.js';

interface Got {
  type: number;
  body: string;
}

function collector(): { got: Got[]; decoder: FrameDecoder } {
  const got: Got[] = [];
  const decoder = new FrameDecoder((type, buffer, from, to) =>
    got.push({ type, body: toHex(buffer, from, to) }),
  );
  return { got, decoder };
}

function frame(type: number, body: Uint8Array): Uint8Array {
  const encoder = new FrameEncoder();
  return encoder.buffer.slice(0, encoder.encode(type, body));
}

/** A small generator with a seed that can be printed (mulberry32). */
function noise(seed: number, length: number, least: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let a = seed;
  for (let i = 0; i < length; i++) {
    a = (a + 0x6d2b79f5) | 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    bytes[i] = least + (((x ^ (x >>> 14)) >>> 0) % (256 - least));
  }
  return bytes;
}

/** COBS as its paper describes it, by strings. */
function decodeCobs(encoded: Uint8Array): number[] {
  const out: number[] = [];
  for (let i = 0; i < encoded.length; ) {
    const code = encoded[i];
    out.push(...encoded.slice(i + 1, i + code));
    i += code;
    if (code < 255 && i < encoded.length) out.push(0);
  }
  return out;
}

/** Long runs with and without zeros, around the block length of 254. */
const runs = fc
  .array(fc.tuple(fc.constantFrom(0, 1, 255), fc.oneof(fc.nat(5), fc.integer({ min: 252, max: 256 }))), {
    maxLength: 8,
  })
  .map(list => Uint8Array.from(list.flatMap(([byte, count]) => new Array(count).fill(byte))));
const bodies = fc.oneof(fc.uint8Array({ maxLength: 600 }), runs);

test('COBS has no zero, keeps its bound and is undone', t => {
  fc.assert(
    fc.property(bodies, body => {
      const out = new Uint8Array(cobsBound(body.length) + 1);
      out.set(body, 1);
      const end = cobsEncode(out, 0, body.length + 1);
      t.true(end < out.length);
      t.is(out[end], 0);
      t.false(out.subarray(0, end).includes(0));
      t.deepEqual(decodeCobs(out.slice(0, end)), [...body]);
    }),
    { numRuns: 2000 },
  );
});

test('frames come out as they went in, however the stream is cut', t => {
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(255), bodies), { maxLength: 5 }), cuts, (frames, sizes) => {
      const stream = Buffer.concat(frames.map(([type, body]) => frame(type, body)));
      const { got, decoder } = collector();
      for (let at = 0, i = 0; at < stream.length; i++) {
        const to = Math.min(stream.length, at + sizes[i % sizes.length]);
        decoder.push(stream, at, to);
        at = to;
      }
      t.deepEqual(
        got,
        frames.map(([type, body]) => ({ type, body: toHex(body) })),
      );
      t.is(decoder.frames, frames.length);
      t.is(decoder.noiseFrames + decoder.noiseBytes + decoder.oversized, 0);
    }),
    { numRuns: 1000 },
  );
});

test('every chunking of a short stream into three', t => {
  const stream = Buffer.concat([
    frame(4, new Uint8Array([0, 1, 0])),
    Buffer.from([0, 0]),
    frame(5, new Uint8Array(3)),
  ]);
  for (let a = 0; a <= stream.length; a++) {
    for (let b = a; b <= stream.length; b++) {
      const { got, decoder } = collector();
      decoder.push(stream, 0, a);
      decoder.push(stream, a, b);
      decoder.push(stream, b);
      t.is(got.length, 2);
    }
  }
});

for (const least of [0, 1]) {
  test(`1 MB of noise between two frames, ${least === 0 ? 'with' : 'without'} zeros in it`, t => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    t.log(`seed ${seed}`);
    const one = frame(4, new Uint8Array([1]));
    const two = frame(4, new Uint8Array([2]));
    const { got, decoder } = collector();
    decoder.push(one);
    const megabyte = noise(seed, 1 << 20, least);
    for (let at = 0; at < megabyte.length; at += 1000)
      decoder.push(megabyte, at, Math.min(at + 1000, megabyte.length));
    decoder.push(new Uint8Array(1));
    decoder.push(two);
    t.deepEqual(got, [
      { type: 4, body: '01' },
      { type: 4, body: '02' },
    ]);
    const zeros = megabyte.filter(byte => byte === 0).length;
    t.is(decoder.noiseBytes, megabyte.length - zeros);
    t.true(decoder.noiseFrames + decoder.oversized > 0);
    if (least === 1) t.is(decoder.oversized, 1);
  });
}

test('every bit of a frame turned over is noise, and the next frame comes', t => {
  const one = frame(4, new TextEncoder().encode('one \0 frame'));
  const two = frame(4, new Uint8Array([2]));
  for (let bit = 0; bit < one.length * 8; bit++) {
    const altered = one.slice();
    altered[bit >> 3] ^= 1 << (bit & 7);
    const { got, decoder } = collector();
    decoder.push(altered);
    decoder.push(two);
    decoder.push(two);
    // Turning the delimiter over joins the frame with the one after it.
    t.deepEqual(got.at(-1), { type: 4, body: '02' });
    t.true(got.length <= 2, `bit ${bit}`);
    t.true(decoder.noiseFrames > 0);
  }
});

test('the largest body goes through, one byte more is not framed', t => {
  for (const fill of [0, 1]) {
    const largest = new Uint8Array(MAX_BODY_BYTES).fill(fill);
    const { got, decoder } = collector();
    decoder.push(frame(4, largest));
    t.is(got[0]?.body, toHex(largest));
  }
  t.is(new FrameEncoder().encode(4, new Uint8Array(MAX_BODY_BYTES + 1)), 0);
  t.is(new FrameEncoder(10).encode(4, new Uint8Array(11)), 0);
  t.throws(() => new FrameEncoder(MAX_BODY_BYTES + 1), { instanceOf: RangeError });
  t.throws(() => new FrameDecoder(() => {}, 4097), { instanceOf: RangeError });
});

test('reset forgets an unfinished frame, also from within the callback', t => {
  const one = frame(4, new Uint8Array([1]));
  const { got, decoder } = collector();
  decoder.push(one, 0, 4);
  decoder.reset();
  decoder.push(one);
  t.is(got.length, 1);
  t.is(decoder.noiseBytes, 0);

  let calls = 0;
  const again = new FrameDecoder(() => {
    calls++;
    again.reset();
  });
  again.push(Buffer.concat([one, one]));
  t.is(calls, 2);
});
