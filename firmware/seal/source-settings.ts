/**
 * What a `config` message carries: how often each source of a device is to speak.
 *
 *   settings = {0: [* {0: name: tstr .size (1..64), ? 1: period, ? 2: threshold, ? 3: max interval}]}
 *
 * Period and max interval are whole ms, the threshold a number in the unit of the source's record. What is
 * absent is as the board itself has it; so is all of a source that is not named. At most 32 sources, no name
 * twice. Which values make sense is for the sources to say.
 */
import { fromUtf8 } from './bytes.js';
import { CborReader } from './cbor-reader.js';
import { CborWriter } from './cbor-writer.js';
import type { SealFault } from './fault.js';
import { MAX_MESSAGE_BYTES } from './limits.js';

export const MAX_CONFIGURED_SOURCES = 32;
const MAX_NAME_BYTES = 64;

export interface NamedSourceSettings {
  readonly name: string;
  readonly periodMs?: number | undefined;
  readonly threshold?: number | undefined;
  readonly maxIntervalMs?: number | undefined;
}

/** The bytes of settings; undefined when they are too many, too long, or hold a number that has no encoding. */
export function encodeSourceSettings(settings: readonly NamedSourceSettings[]): Uint8Array | undefined {
  const buffer = new Uint8Array(MAX_MESSAGE_BYTES);
  const out = new CborWriter(buffer);
  out.map(1);
  out.uint(0);
  out.array(settings.length);
  for (const { name, periodMs, threshold, maxIntervalMs } of settings) {
    let pairs = 1;
    for (const value of [periodMs, threshold, maxIntervalMs]) if (value !== undefined) pairs++;
    out.map(pairs);
    out.uint(0);
    out.text(name);
    if (periodMs !== undefined) {
      out.uint(1);
      out.uint(periodMs);
    }
    if (threshold !== undefined) {
      out.uint(2);
      out.number(threshold);
    }
    if (maxIntervalMs !== undefined) {
      out.uint(3);
      out.uint(maxIntervalMs);
    }
  }
  const whole = out.ok && typeof readSourceSettings(buffer, 0, out.position) !== 'string';
  return whole ? buffer.slice(0, out.position) : undefined;
}

/** Reads settings, strictly. @returns them, or why they are refused */
export function readSourceSettings(
  bytes: Uint8Array,
  from: number,
  to: number,
): NamedSourceSettings[] | SealFault {
  const reader = new CborReader();
  reader.reset(bytes, from, to);
  if (reader.map() !== 1) reader.refuse('unexpected-key');
  reader.key(0);
  const count = reader.array();
  if (count > MAX_CONFIGURED_SOURCES) reader.refuse('too-large');
  const settings: NamedSourceSettings[] = [];
  for (let i = 0; i < count && reader.ok; i++) {
    const one = readOne(reader);
    if (settings.some(({ name }) => name === one.name)) reader.refuse('duplicate-key');
    settings.push(one);
  }
  reader.finish();
  return reader.fault === '' ? settings : reader.fault;
}

function readOne(reader: CborReader): NamedSourceSettings {
  const one: { name: string; periodMs?: number; threshold?: number; maxIntervalMs?: number } = { name: '' };
  const pairs = reader.map();
  if (pairs === 0) reader.refuse('unexpected-key'); // what follows is not its name
  reader.key(0);
  if (reader.text()) {
    const bytes = reader.stop - reader.start;
    if (bytes === 0 || bytes > MAX_NAME_BYTES) reader.refuse('length');
    one.name = fromUtf8(reader.bytes, reader.start, reader.stop) ?? '';
  }
  let last = 0;
  for (let left = pairs - 1; left > 0 && reader.ok; left--) {
    const key = reader.uint();
    if (key <= last) reader.refuse(key === last ? 'duplicate-key' : 'unsorted-keys');
    last = key;
    if (key === 1) one.periodMs = reader.uint();
    else if (key === 2) one.threshold = reader.number();
    else if (key === 3) one.maxIntervalMs = reader.uint();
    else reader.refuse('unexpected-key');
  }
  return one;
}
