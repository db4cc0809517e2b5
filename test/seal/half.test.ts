import test from 'ava';
import { CborReader, CborWriter, halfOfSingle, halfValue } from '../../firmware/seal/index.js';

const view = new DataView(new ArrayBuffer(4));

function bitsOf(value: number): number {
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** RFC 8949, appendix D. */
function decodeHalf(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  let value: number;
  if (exponent === 0) value = mantissa * 2 ** -24;
  else if (exponent !== 31) value = (mantissa + 1024) * 2 ** (exponent - 25);
  else value = mantissa === 0 ? Infinity : NaN;
  return half & 0x8000 ? -value : value;
}

test('every half has the value that RFC 8949 gives it', t => {
  for (let half = 0; half < 0x10000; half++)
    if (!Object.is(halfValue(half), decodeHalf(half))) t.fail(`${half}`);
  t.pass();
});

test('every half but zero, infinity and NaN is found again from its single', t => {
  for (let half = 0; half < 0x10000; half++) {
    const value = halfValue(half);
    const expected = value === 0 || !Number.isFinite(value) ? -1 : half;
    if (halfOfSingle(bitsOf(value)) !== expected) t.fail(`${half}`);
  }
  t.pass();
});

test('a single beside a half has none', t => {
  for (let half = 1; half < 0x7c00; half++) {
    const bits = bitsOf(halfValue(half));
    if (halfOfSingle(bits + 1) !== -1 || halfOfSingle(bits - 1) !== -1) t.fail(`${half}`);
  }
  for (const value of [65520, 65536, 1e30, 2 ** -25, 2 ** -26, 1e-40]) t.is(halfOfSingle(bitsOf(value)), -1);
});

test('every half that is not integral goes through writer and reader', t => {
  const writer = new CborWriter(new Uint8Array(9));
  const reader = new CborReader();
  for (let half = 0; half < 0x10000; half++) {
    const value = halfValue(half);
    if (!Number.isFinite(value) || Number.isInteger(value)) continue;
    writer.reset();
    writer.number(value);
    reader.reset(writer.buffer, 0, writer.position);
    if (writer.position !== 3 || reader.number() !== value || !reader.finish()) t.fail(`${half}`);
  }
  t.pass();
});
