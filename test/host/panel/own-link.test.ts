import test from 'ava';
import {
  EnvelopeReader,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  KeyChain,
  Kind,
  MessageReader,
  MessageWriter,
  RefuseReason,
  readRecords,
} from '../../../firmware/seal/index.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { systemRandom } from '../../../host/node/random.js';
import { OwnDevice } from '../../../host/panel/own-device.js';
import { OwnKeys } from '../../../host/panel/own-keys.js';
import { OwnLink } from '../../../host/panel/own-link.js';
import type { Link } from '../../../host/ports.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';
import { FakeClock } from '../../support/fake-clock.js';
import { TestLog } from '../uplink/support.js';

interface Reading {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: number;
  readonly tag8: Uint8Array;
  readonly records: Record<string, unknown>;
}

/** The other end: a gateway that says only what the test tells it to. */
class Rig {
  readonly clock = new FakeClock();
  readonly log = new TestLog();
  readonly hellos: { epoch: number; next: number; oldest: string; backlog: number; losses: number }[] = [];
  readonly readings: Reading[] = [];
  knocks = 0;
  links = 0;
  device!: OwnDevice;
  link!: OwnLink;
  #keys!: OwnKeys;
  #wire!: Link;
  #counter = 0;
  #nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  readonly #writer = new MessageWriter();
  readonly #reader = new MessageReader();
  readonly #envelope = new EnvelopeReader();
  readonly #encoder = new FrameEncoder();
  readonly #decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));

  static async make(): Promise<Rig> {
    const rig = new Rig();
    const ports = { storage: new MemoryStorage(), random: systemRandom, digest: nodeDigest };
    rig.#keys = await OwnKeys.create(ports, '/own', () => false);
    const { clock, log } = rig;
    rig.device = new OwnDevice({ clock, log, digest: nodeDigest, keys: rig.#keys }, '1.0.0');
    await rig.device.begin();
    rig.link = new OwnLink({ clock, random: systemRandom }, rig.device, nodeDigest.hmac(rig.#keys.down));
    await rig.link.start(link => {
      rig.links++;
      rig.#wire = link;
      return { data: bytes => rig.#decoder.push(bytes), closed: () => {} };
    });
    return rig;
  }

  /** Lets everything happen that is on its way. */
  turn(): Promise<void> {
    return this.clock.pass(1);
  }

  async challenge(): Promise<void> {
    systemRandom.fill(this.#nonces.gateway);
    this.#counter = 0;
    this.#say(FrameType.challenge, this.#writer.challenge(this.#nonces.gateway));
    await this.turn();
  }

  /** A session that is open: as the gateway does, with a receipt right after the hello. */
  async open(): Promise<void> {
    await this.challenge();
    await this.receipt();
  }

  async receipt(
    position?: { epoch: number; seq: number; tag8: Uint8Array },
    key = this.#keys.down,
  ): Promise<void> {
    const mac = nodeDigest.hmac(key);
    const { id } = this.device;
    this.#say(FrameType.down, this.#writer.receipt(mac, id, this.#nonces, ++this.#counter, position));
    await this.turn();
  }

  async refuse(reading: Reading): Promise<void> {
    const mac = nodeDigest.hmac(this.#keys.down);
    const { epoch, seq, tag8 } = reading;
    this.#say(
      FrameType.down,
      this.#writer.refuse(
        mac,
        this.device.id,
        this.#nonces,
        ++this.#counter,
        { epoch, seq, tag8 },
        RefuseReason.fork,
      ),
    );
    await this.turn();
  }

  async advance(epoch: number): Promise<void> {
    const mac = nodeDigest.hmac(this.#keys.down);
    this.#say(
      FrameType.down,
      this.#writer.advance(mac, this.device.id, this.#nonces, ++this.#counter, epoch),
    );
    for (let turns = 0; turns < 20; turns++) await this.turn();
  }

  /** The next word down bears a number that was there before. */
  again(): void {
    this.#counter--;
  }

  close(): void {
    this.#wire.close();
  }

  #say(type: number, length: number): void {
    const { buffer, start } = this.#writer;
    const framed = this.#encoder.encode(type, buffer, start, start + length);
    this.#wire.send(this.#encoder.buffer.subarray(0, framed));
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (type === FrameType.knock) this.knocks++;
    else if (type === FrameType.up) {
      if (this.#reader.parseUp(buffer, from, to) !== '') throw new Error('a hello that is none');
      const { devNonceAt, epoch, next, oldestEpoch, oldestSeq, backlog, losses } = this.#reader;
      this.#nonces.device.set(buffer.subarray(devNonceAt, devNonceAt + 16));
      if (!this.#reader.verify(this.device.up!)) throw new Error('not authentic');
      this.hellos.push({ epoch, next, oldest: `${oldestEpoch}/${oldestSeq}`, backlog, losses });
    } else if (type === FrameType.reading) {
      const envelope = this.#envelope;
      if (envelope.parse(buffer, from, to) !== '') throw new Error('a reading that is none');
      const { epoch, seq, kind, tagAt, recordsAt, recordsEnd } = envelope;
      const records = Object.fromEntries(
        readRecords(buffer, recordsAt, recordsEnd).map(({ n, v, vs, vb }) => [n, v ?? vs ?? vb]),
      );
      this.readings.push({ epoch, seq, kind, tag8: buffer.slice(tagAt, tagAt + 8), records });
    }
  }
}

const names = (readings: readonly Reading[]) => readings.map(({ epoch, seq }) => `${epoch}/${seq}`);

test('one at a time, each once, when the one before is durable', async t => {
  const rig = await Rig.make();
  rig.device.say({ enclosure: true });
  rig.device.say({ enclosure: false });
  await rig.turn();
  t.deepEqual(rig.readings, []);
  await rig.open();
  t.deepEqual(rig.hellos, [{ epoch: 0, next: 3, oldest: '0/0', backlog: 3, losses: 0 }]);
  t.deepEqual(names(rig.readings), ['0/0']);
  t.like(rig.readings[0], {
    kind: Kind.start,
    records: { reason: 'gateway-start', firmware: 'sovereign-gateway 1.0.0' },
  });
  await rig.receipt();
  t.is(rig.readings.length, 1);
  await rig.receipt(rig.readings[0]);
  await rig.receipt(rig.readings[1]);
  await rig.receipt(rig.readings[2]);
  t.deepEqual(names(rig.readings), ['0/0', '0/1', '0/2']);
  t.deepEqual(
    rig.readings.slice(1).map(({ records }) => records.enclosure),
    [true, false],
  );
  t.is(rig.device.held.length, 0);
  await rig.clock.pass(60_000, 1000);
  t.is(rig.readings.length, 3);
});

test('a journal that takes nothing: it goes again and again, then a new session is asked for', async t => {
  const rig = await Rig.make();
  await rig.open();
  await rig.clock.pass(6500, 500);
  t.deepEqual(names(rig.readings), ['0/0', '0/0', '0/0', '0/0']);
  t.is(rig.knocks, 1);
  await rig.open();
  t.is(rig.hellos.length, 2);
  t.is(rig.readings.length, 5);
  await rig.receipt(rig.readings[0]);
  t.is(rig.device.held.length, 0);
});

test('a receipt that is forged, for another reading of that number, or said before, frees nothing', async t => {
  const rig = await Rig.make();
  await rig.open();
  const [first] = rig.readings;
  await rig.receipt(first, new Uint8Array(32));
  await rig.receipt({ ...first!, tag8: new Uint8Array(8) });
  rig.again();
  await rig.receipt(first);
  t.is(rig.device.held.length, 1);
  await rig.receipt(first);
  t.is(rig.device.held.length, 0);
});

test('a link that the gateway closes is opened again', async t => {
  const rig = await Rig.make();
  await rig.open();
  rig.close();
  await rig.clock.pass(1500, 100);
  t.is(rig.links, 2);
  await rig.open();
  await rig.receipt(rig.readings.at(-1));
  t.is(rig.device.held.length, 0);
  await rig.link.stop();
  await rig.clock.pass(5000, 500);
  t.is(rig.links, 2);
});

test('a reading that is refused is dropped and counted', async t => {
  const rig = await Rig.make();
  rig.device.say({ enclosure: true });
  await rig.open();
  await rig.refuse(rig.readings[0]!);
  t.deepEqual(names(rig.readings), ['0/0', '0/1']);
  t.is(rig.device.losses, 1);
  t.is(rig.knocks, 1);
  await rig.open();
  await rig.receipt(rig.readings.at(-1));
  t.like(rig.readings.at(-1), { kind: Kind.loss, records: { lost: 1, 'lost-range': '0:0-0' } });
});

for (const how of ['is told to', 'hears of readings that it never sealed'] as const)
  test(`keys that were set back: it ${how}, and goes ahead before it seals on`, async t => {
    const rig = await Rig.make();
    await rig.open();
    if (how === 'is told to') await rig.advance(9);
    else await rig.receipt({ epoch: 8, seq: 4, tag8: new Uint8Array(8) });
    for (let turns = 0; turns < 20; turns++) await rig.turn();
    t.is(rig.device.epoch, 9);
    rig.device.say({ enclosure: true });
    await rig.turn();
    t.deepEqual(
      rig.device.held.map(({ epoch, seq }) => `${epoch}/${seq}`),
      ['0/0', '9/0', '9/1'],
    );
  });

test('an epoch ends after a day, and the next begins', async t => {
  const rig = await Rig.make();
  rig.device.say({ enclosure: true });
  await rig.turn();
  rig.clock.advance(86_400_000);
  rig.device.say({ enclosure: false });
  for (let turns = 0; turns < 30; turns++) await rig.turn();
  const envelope = new EnvelopeReader();
  const held = rig.device.held.map(({ bytes }) => {
    t.is(envelope.parse(bytes, 0, bytes.length), '');
    return `${envelope.epoch}/${envelope.seq} ${envelope.kind}`;
  });
  t.deepEqual(held, [`0/0 ${Kind.start}`, '0/1 0', `0/2 ${Kind.final}`, `1/0 ${Kind.start}`, '1/1 0']);
});

test('what can’t be kept is counted, and told in the next hello', async t => {
  const rig = await Rig.make();
  for (let n = 0; n < 300; n++) rig.device.say({ enclosure: n % 2 === 0 });
  await rig.turn();
  t.is(rig.device.held.length, 256);
  t.is(rig.device.losses, 45);
  await rig.challenge();
  t.like(rig.hellos.at(-1), { backlog: 256, losses: 45 });
});

test('what it seals, the chain of its keyring entry verifies', async t => {
  const storage = new MemoryStorage();
  const keys = await OwnKeys.create(
    { storage, random: systemRandom, digest: nodeDigest },
    '/own',
    () => false,
  );
  const { chain } = await keys.base();
  const device = new OwnDevice(
    { clock: new FakeClock(), log: new TestLog(), digest: nodeDigest, keys },
    '1.0.0',
  );
  await device.begin();
  const envelope = new EnvelopeReader();
  const { bytes } = device.held[0]!;
  t.is(envelope.parse(bytes, 0, bytes.length), '');
  t.true(envelope.verify(nodeDigest.hmac(new KeyChain(nodeDigest).seal(chain))));
});
