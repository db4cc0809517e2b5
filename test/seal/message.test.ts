import test from 'ava';
import fc from 'fast-check';
import type { Hello, SessionNonces } from '../../firmware/seal/index.js';
import {
  encodeSourceSettings,
  fromUtf8,
  MessageReader,
  MessageWriter,
  utf8,
} from '../../firmware/seal/index.js';
import type * as Vectors from '../vectors/types.js';
import { DIGESTS, flipped, hex, ID, toHex, vectors } from './support.js';

const file = vectors<Vectors.Messages>('messages.json');
const sealed = file.messages.filter(({ name }) => name !== 'challenge' && name !== 'knock');
const isUp = (name: string) => name === 'hello' || name === 'timeRequest';

function parse(reader: MessageReader, name: string, bytes: Uint8Array): string {
  if (name === 'challenge') return reader.parseChallenge(bytes, 0, bytes.length);
  if (name === 'knock') return reader.parseKnock(bytes, 0, bytes.length);
  return isUp(name) ? reader.parseUp(bytes, 0, bytes.length) : reader.parseDown(bytes, 0, bytes.length);
}

for (const [name, digest] of DIGESTS) {
  const down = digest.hmac(hex(file.down));
  const up = file.up.map(key => digest.hmac(hex(key)));
  const macOf = (message: (typeof sealed)[number]) =>
    isUp(message.name) ? up[message.hello?.epoch ?? message.epoch ?? 0] : down;

  test(`every single bit of every message counts, with ${name}`, t => {
    const reader = new MessageReader();
    for (const message of sealed) {
      const bytes = hex(message.hex);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const altered = flipped(bytes, bit);
        if (parse(reader, message.name, altered) === '' && reader.verify(macOf(message)))
          t.fail(`${message.name} ${bit}`);
      }
    }
    t.pass();
  });

  test(`no key but its own verifies a message, with ${name}`, t => {
    const reader = new MessageReader();
    for (const message of sealed) {
      t.is(parse(reader, message.name, hex(message.hex)), '');
      for (const mac of [down, ...up]) t.is(reader.verify(mac), mac === macOf(message), message.name);
    }
  });

  test(`a message of one session can't be made one of another, with ${name}`, t => {
    const writer = new MessageWriter();
    const reader = new MessageReader();
    const session = (byte: number): SessionNonces => ({
      gateway: new Uint8Array(16).fill(byte),
      device: new Uint8Array(16).fill(byte + 1),
    });
    const position = { epoch: 1, seq: 2, tag8: new Uint8Array(8) };
    const length = writer.receipt(down, ID, session(1), 1, position);
    const receipt = writer.buffer.slice(writer.start, writer.start + length);
    t.is(reader.parseDown(receipt, 0, length), '');
    t.is(toHex(receipt, reader.gwNonceAt, reader.gwNonceAt + 16), '01'.repeat(16));
    t.is(toHex(receipt, reader.devNonceAt, reader.devNonceAt + 16), '02'.repeat(16));
    const { gwNonceAt, devNonceAt } = reader;
    for (const at of [gwNonceAt, devNonceAt]) {
      const replayed = receipt.slice();
      replayed.fill(9, at, at + 16);
      t.is(reader.parseDown(replayed, 0, length), '');
      t.false(reader.verify(down));
    }
  });

  test(`a replayed message has a counter that has been seen, and can't be given another, with ${name}`, t => {
    const writer = new MessageWriter();
    const reader = new MessageReader();
    const nonces = { gateway: hex(file.gatewayNonce), device: hex(file.deviceNonce) };
    let last = -1;
    const kept: Uint8Array[] = [];
    for (const counter of [0, 1, 23, 24, 255, 65536, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const length = writer.advance(down, ID, nonces, counter, 7);
      const bytes = writer.buffer.slice(writer.start, writer.start + length);
      kept.push(bytes);
      t.is(reader.parseDown(bytes, 0, length), '');
      t.true(reader.verify(down));
      t.true(reader.counter > last);
      last = reader.counter;
    }
    for (const bytes of kept) {
      t.is(reader.parseDown(bytes, 0, bytes.length), '');
      t.false(reader.counter > last);
    }
  });
}

test('every shorter and every longer piece of every message is refused', t => {
  const reader = new MessageReader();
  for (const { name, hex: text } of file.messages) {
    const bytes = hex(`${text}00`);
    for (let length = 0; length <= bytes.length; length++) {
      const fault = parse(reader, name, bytes.slice(0, length));
      if (length === bytes.length - 1) t.is(fault, '');
      else t.not(fault, '', `${length} bytes of ${name}`);
    }
  }
});

test('no message is taken for one of another frame type', t => {
  const reader = new MessageReader();
  const groups = ['challenge', 'knock', 'hello', 'receipt'];
  for (const { name, hex: text } of file.messages) {
    const own = name === 'timeRequest' ? 'hello' : groups.includes(name) ? name : 'receipt';
    for (const other of groups) {
      const fault = parse(reader, other, hex(text));
      // A message up can have the form of one down, and the other way round: their keys tell them apart.
      if (other === own) t.is(fault, '');
      else if (name === 'challenge' || name === 'knock' || other === 'challenge' || other === 'knock')
        t.not(fault, '');
    }
  }
});

test('any hello comes out as it went in, its texts cut', t => {
  const [, digest] = DIGESTS[0];
  const mac = digest.hmac(new Uint8Array(32));
  const n = fc.maxSafeNat();
  const text = fc.string({ unit: 'grapheme', maxLength: 150 });
  const hello: fc.Arbitrary<Hello> = fc.record({
    epoch: n,
    next: n,
    oldest: fc.option(fc.record({ epoch: n, seq: n }), { nil: undefined }),
    backlog: n,
    losses: n,
    firmware: text,
    restart: text,
    configVersion: fc.option(n, { nil: undefined }),
  });
  const nonces = { gateway: new Uint8Array(16).fill(1), device: new Uint8Array(16).fill(2) };
  const writer = new MessageWriter();
  const reader = new MessageReader();
  fc.assert(
    fc.property(hello, h => {
      const length = writer.hello(mac, ID, nonces, h);
      const bytes = writer.buffer;
      t.is(reader.parseUp(bytes, writer.start, writer.start + length), '');
      t.true(reader.verify(mac));
      t.is(toHex(bytes, reader.idAt, reader.idAt + 8), toHex(ID));
      t.deepEqual(
        [reader.epoch, reader.next, reader.oldestEpoch, reader.oldestSeq, reader.backlog, reader.losses],
        [h.epoch, h.next, h.oldest?.epoch ?? -1, h.oldest?.seq ?? -1, h.backlog, h.losses],
      );
      t.is(reader.configVersion, h.configVersion ?? -1);
      t.is(fromUtf8(bytes, reader.firmwareAt, reader.firmwareEnd), fromUtf8(utf8(h.firmware, 64)));
      t.is(fromUtf8(bytes, reader.restartAt, reader.restartEnd), fromUtf8(utf8(h.restart, 128)));
    }),
    { numRuns: 300 },
  );
});

test('settings that are too many, too long or no settings are not encoded; what does not fit is not sent', t => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ name: `s${i}`, periodMs: 1000 }));
  t.true(encodeSourceSettings(many(23)) instanceof Uint8Array);
  for (const settings of [
    many(33),
    [{ name: 'x'.repeat(65) }],
    [{ name: '' }],
    [{ name: 'a' }, { name: 'a' }],
    [{ name: 'a', periodMs: 0.5 }],
    [{ name: 'a', threshold: Number.NaN }],
  ])
    t.is(encodeSourceSettings(settings), undefined);
  const mac = DIGESTS[0][1].hmac(new Uint8Array(32));
  const nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  const writer = new MessageWriter();
  t.true(writer.config(mac, ID, nonces, 1, 1, encodeSourceSettings(many(20))!) > 0);
  t.is(writer.config(mac, ID, nonces, 1, 1, new Uint8Array(300)), 0);
});

test('numbers that have no encoding make no message, other mistakes throw', t => {
  const [, digest] = DIGESTS[0];
  const mac = digest.hmac(new Uint8Array(32));
  const nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  const writer = new MessageWriter();
  for (const counter of [-1, 0.5, NaN, 2 ** 53, -0]) t.is(writer.receipt(mac, ID, nonces, counter), 0);
  t.is(writer.time(mac, ID, nonces, 1, new Uint8Array(8), 1.5), 0);
  t.true(writer.receipt(mac, ID, nonces, 1) > 0);
  t.throws(() => writer.challenge(new Uint8Array(15)), { message: 'expected 16 bytes, got 15' });
  t.throws(() => writer.knock(new Uint8Array(9)), { instanceOf: RangeError });
  t.throws(() => writer.timeRequest(mac, ID, nonces, 1, new Uint8Array(7)), { instanceOf: RangeError });
  t.throws(() => writer.receipt(mac, ID, { ...nonces, device: new Uint8Array(1) }, 1), {
    instanceOf: RangeError,
  });
  const position = { epoch: 1, seq: 1, tag8: new Uint8Array(32) };
  t.throws(() => writer.receipt(mac, ID, nonces, 1, position), { instanceOf: RangeError });
});
