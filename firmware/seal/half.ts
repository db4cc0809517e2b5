/** Half-precision floats (IEEE 754 binary16), which the language of XS has no type for. */

/**
 * The half that has exactly the value of a single, given the single's bits; -1 when there is none.
 * Zeros, infinities and NaN have none here: they never stand in a reading as floats.
 */
export function halfOfSingle(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent >= -14 && exponent <= 15) {
    return (fraction & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (fraction >> 13) : -1;
  }
  if (exponent >= -24 && exponent < -14) {
    const whole = fraction | 0x800000;
    const shift = -1 - exponent; // a subnormal half counts in steps of 2^-24
    return (whole & ((1 << shift) - 1)) === 0 ? sign | (whole >> shift) : -1;
  }
  return -1;
}

/** The value of a half, given its 16 bits. */
export function halfValue(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  let value: number;
  if (exponent === 0) value = fraction / 0x1000000;
  else if (exponent === 31) value = fraction === 0 ? Infinity : NaN;
  else if (exponent >= 25) value = (fraction | 0x400) * (1 << (exponent - 25));
  else value = (fraction | 0x400) / (1 << (25 - exponent));
  return half & 0x8000 ? -value : value;
}
