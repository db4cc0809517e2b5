/** Session messages and source settings: `MessageReader` against plain CBOR, `readSourceSettings` against its writer. */
import {
  type CborValue,
  encodeSourceSettings,
  MAX_MESSAGE_BYTES,
  MessageReader,
  MessageWriter,
  type NamedSourceSettings,
  readSourceSettings,
} from '../../firmware/seal/index.js';
import { alteredBytes } from './alter.js';
import { ensure, made, mutated, same, type Target } from './core.js';
import { CBOR_WORDS, isBytes, isUint, payloadOf, plain, wrapped } from './mac0.js';
import type { Dice } from './mutate.js';
import { FREE_MAC, number } from './values.js';

type PlainMap = ReadonlyMap<CborValue, CborValue>;
type Rule = (value: CborValue | undefined) => boolean;

const uint: Rule = isUint;
const bytesOf =
  (size?: number): Rule =>
  value =>
    isBytes(value, size);
const textOf =
  (max: number): Rule =>
  value =>
    typeof value === 'string' && Buffer.byteLength(value) <= max;
const is =
  (word: number): Rule =>
  value =>
    value === word;
const maybe =
  (rule: Rule): Rule =>
  value =>
    value === undefined || rule(value);
const pair: Rule = value => Array.isArray(value) && value.length === 2 && value.every(isUint);

/** The CDDL of `firmware/seal/README.md`: what stands under each key of each message. */
const NONCES = { 1: bytesOf(16), 2: bytesOf(16) };
const POSITION = { 4: uint, 5: uint, 6: bytesOf(8) };
const UP: readonly Record<number, Rule>[] = [
  {
    0: is(1),
    ...NONCES,
    3: uint,
    4: uint,
    5: maybe(pair),
    6: uint,
    7: uint,
    8: textOf(64),
    9: textOf(128),
    10: maybe(uint),
  },
  { 0: is(2), ...NONCES, 3: uint, 4: bytesOf(8) },
];
const DOWN: readonly Record<number, Rule>[] = [
  { 0: is(1), ...NONCES, 3: uint },
  { 0: is(1), ...NONCES, 3: uint, ...POSITION },
  { 0: is(2), ...NONCES, 3: uint, 4: bytesOf(8), 5: uint },
  { 0: is(3), ...NONCES, 3: uint, ...POSITION, 7: is(1) },
  { 0: is(4), ...NONCES, 3: uint, 4: uint },
  { 0: is(5), ...NONCES, 3: uint, 4: uint, 5: bytesOf() },
];

function matches(value: CborValue, rules: Record<number, Rule>): value is PlainMap {
  if (!(value instanceof Map)) return false;
  const map = value as PlainMap;
  for (const key of map.keys()) if (typeof key !== 'number' || !(key in rules)) return false;
  return Object.entries(rules).every(([key, rule]) => rule(map.get(Number(key))));
}

const reader = new MessageReader();

/** One message up or down; `payload` says whether plain CBOR takes it. */
function judge(bytes: Uint8Array, direction: 'up' | 'down'): boolean {
  const fault =
    direction === 'up' ? reader.parseUp(bytes, 0, bytes.length) : reader.parseDown(bytes, 0, bytes.length);
  const second = plain(bytes, MAX_MESSAGE_BYTES);
  const rules = direction === 'up' ? UP : DOWN;
  const payload = second?.payload;
  const expected = payload !== undefined && rules.some(one => matches(payload, one));
  ensure((fault === '') === expected, `the reader says "${fault}", plain CBOR ${expected}`);
  if (second === undefined || fault !== '') return false;
  ensure(same(rebuilt(second.id, direction === 'up'), payloadOf(bytes)), 'its fields make another message');
  const own = wrapped(second.id, payloadOf(bytes));
  ensure(own !== undefined && reader.verify(FREE_MAC) === same(own, bytes), 'verify is wrong');
  if (direction === 'down' && reader.kind === 5)
    settingsOf(bytes.slice(reader.settingsAt, reader.settingsEnd));
  return true;
}

const writer = new MessageWriter();

/** The payload of the message that the fields of the reader make. */
function rebuilt(id: Uint8Array, up: boolean): Uint8Array {
  const at = (from: number, size: number) => reader.bytes.slice(from, from + size);
  const text = (from: number, to: number) => new TextDecoder().decode(reader.bytes.subarray(from, to));
  const nonces = { gateway: at(reader.gwNonceAt, 16), device: at(reader.devNonceAt, 16) };
  const { epoch, seq, counter, kind } = reader;
  ensure(same(at(reader.idAt, 8), id), 'another id');
  const named = () => ({ epoch, seq, tag8: at(reader.tag8At, 8) });
  let length: number;
  if (up && kind === 1) {
    const oldest = reader.oldestEpoch < 0 ? undefined : { epoch: reader.oldestEpoch, seq: reader.oldestSeq };
    const configVersion = reader.configVersion < 0 ? undefined : reader.configVersion;
    const { next, backlog, losses } = reader;
    const firmware = text(reader.firmwareAt, reader.firmwareEnd);
    const restart = text(reader.restartAt, reader.restartEnd);
    length = writer.hello(FREE_MAC, id, nonces, {
      epoch,
      next,
      oldest,
      backlog,
      losses,
      firmware,
      restart,
      configVersion,
    });
  } else if (up) length = writer.timeRequest(FREE_MAC, id, nonces, epoch, at(reader.requestNonceAt, 8));
  else if (kind === 1)
    length = writer.receipt(FREE_MAC, id, nonces, counter, reader.hasPosition ? named() : undefined);
  else if (kind === 2)
    length = writer.time(FREE_MAC, id, nonces, counter, at(reader.requestNonceAt, 8), reader.unixMs);
  else if (kind === 3) length = writer.refuse(FREE_MAC, id, nonces, counter, named(), reader.reason);
  else if (kind === 4) length = writer.advance(FREE_MAC, id, nonces, counter, epoch);
  else {
    const settings = reader.bytes.slice(reader.settingsAt, reader.settingsEnd);
    length = writer.config(FREE_MAC, id, nonces, counter, reader.configVersion, settings);
  }
  ensure(length > 0, 'its fields can not be written');
  return payloadOf(writer.buffer.slice(writer.start, writer.start + length));
}

/** A message of any kind, as the writer makes it. */
function message(dice: Dice, up: boolean): Uint8Array {
  const id = dice.bytes(8);
  const nonces = { gateway: dice.bytes(16), device: dice.bytes(16) };
  const [epoch, counter] = [dice.uint(), dice.uint()];
  const named = { epoch, seq: dice.uint(), tag8: dice.bytes(8) };
  let length: number;
  const kind = dice.below(6);
  if (up && kind < 4) {
    length = writer.hello(FREE_MAC, id, nonces, {
      epoch,
      next: dice.uint(),
      oldest: dice.oneIn(2) ? { epoch: dice.uint(), seq: dice.uint() } : undefined,
      backlog: dice.uint(),
      losses: dice.uint(),
      firmware: dice.text(dice.oneIn(5) ? 80 : 12),
      restart: dice.text(dice.oneIn(5) ? 140 : 12),
      configVersion: dice.oneIn(2) ? dice.uint() : undefined,
    });
  } else if (up) length = writer.timeRequest(FREE_MAC, id, nonces, epoch, dice.bytes(8));
  else if (kind < 2) length = writer.receipt(FREE_MAC, id, nonces, counter, kind === 0 ? undefined : named);
  else if (kind === 2) length = writer.time(FREE_MAC, id, nonces, counter, dice.bytes(8), dice.uint());
  else if (kind === 3) length = writer.refuse(FREE_MAC, id, nonces, counter, named, 1);
  else if (kind === 4) length = writer.advance(FREE_MAC, id, nonces, counter, epoch);
  else length = writer.config(FREE_MAC, id, nonces, counter, dice.uint(), sources(dice, 4));
  ensure(length > 0, 'not written');
  return writer.buffer.slice(writer.start, writer.start + length);
}

const SOURCES = ['temperature', 'v', 'état', 'a'];

function sources(dice: Dice, max: number): Uint8Array {
  const names = SOURCES.slice(dice.below(SOURCES.length)).slice(0, max);
  const settings = encodeSourceSettings(
    names.map(name => ({
      name,
      ...(dice.oneIn(2) && { periodMs: dice.uint() }),
      ...(dice.oneIn(2) && { threshold: number(dice) }),
      ...(dice.oneIn(2) && { maxIntervalMs: dice.uint() }),
    })),
  );
  ensure(settings !== undefined, 'not written');
  return settings;
}

function settingsOf(bytes: Uint8Array): NamedSourceSettings[] | undefined {
  const settings = readSourceSettings(bytes, 0, bytes.length);
  if (typeof settings === 'string') return undefined;
  ensure(settings.length <= 32, `${settings.length} sources`);
  const again = encodeSourceSettings(settings);
  ensure(again !== undefined && same(again, bytes), 'the settings encode otherwise');
  return settings;
}

const both = (['up', 'down'] as const).flatMap(direction => [
  mutated(`any bytes are refused, or are a message ${direction} that encodes to them`, {
    pool: dice => Array.from({ length: 150 }, () => message(dice, direction === 'up')),
    words: CBOR_WORDS,
    maxBytes: 600,
    check: bytes => judge(bytes, direction),
  }),
  mutated(`any payload ${direction} in a sound COSE_Mac0`, {
    pool: dice => Array.from({ length: 150 }, () => payloadOf(message(dice, direction === 'up'))),
    words: CBOR_WORDS,
    maxBytes: 600,
    mixed: true,
    check(payload, dice) {
      const bytes = wrapped(new Uint8Array(8), alteredBytes(payload, dice));
      return bytes !== undefined && judge(bytes, direction);
    },
  }),
]);

const plainOnes = mutated('challenge and knock', {
  pool: dice =>
    Array.from({ length: 60 }, (_, i) => {
      const length = i % 2 === 0 ? writer.challenge(dice.bytes(16)) : writer.knock(dice.bytes(8));
      return writer.buffer.slice(0, length);
    }),
  words: CBOR_WORDS,
  maxBytes: 100,
  check(bytes) {
    const challenge = reader.parseChallenge(bytes, 0, bytes.length) === '';
    if (challenge) writer.challenge(reader.bytes.slice(reader.gwNonceAt, reader.gwNonceAt + 16));
    const knock = reader.parseKnock(bytes, 0, bytes.length) === '';
    if (knock) writer.knock(reader.bytes.slice(reader.idAt, reader.idAt + 8));
    ensure(!(challenge && knock), 'both at once');
    if (!challenge && !knock) return false;
    return same(writer.buffer.subarray(0, bytes.length), bytes) || fail('encodes otherwise');
  },
});

function fail(what: string): never {
  throw new Error(what);
}

const settings = mutated('any bytes are refused, or are settings that encode to them', {
  pool: dice => Array.from({ length: 100 }, () => sources(dice, 4)),
  words: CBOR_WORDS,
  maxBytes: 300,
  mixed: true,
  check: (bytes, dice) => settingsOf(alteredBytes(bytes, dice)) !== undefined,
});

const inverse = made('what is written is read', dice => {
  for (const up of [true, false]) ensure(judge(message(dice, up), up ? 'up' : 'down'), 'refused');
});

export const messages: Target = { name: 'message', properties: [...both, plainOnes, settings, inverse] };
