import { Duplex } from 'node:stream';
import test from 'ava';
import mqttPacket from 'mqtt-packet';
import { encodeText, NO_PROPERTIES, type Publish } from '../../../host/node/mqtt-packets.js';
import { MqttStream } from '../../../host/node/mqtt-stream.js';
import { freshSeed, prng } from '../../support/prng.js';

const MAX_PACKET_BYTES = 4096;
const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const PINGRESP = Buffer.from([0xd0, 0]);
const turn = () => new Promise(resolve => setImmediate(resolve));

/** The broker's end of a connection in memory. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];
  paused = 0;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    done();
  }

  override pause(): this {
    this.paused++;
    return super.pause();
  }
}

function open(take: (message: Publish) => boolean = () => true) {
  const wire = new Wire();
  const pubacks: [number, number][] = [];
  const messages: string[] = [];
  const stream = new MqttStream(wire, false, MAX_PACKET_BYTES, {
    publish: message => {
      messages.push(message.payload.toString());
      return take(message);
    },
    puback: (id, reason) => pubacks.push([id, reason]),
  });
  const passed: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => passed.push(chunk));
  let error: Error | undefined;
  stream.on('error', cause => {
    error = cause;
  });
  return { wire, stream, messages, pubacks, passed: () => Buffer.concat(passed), error: () => error };
}

const publish = (payload: string) =>
  mqttPacket.generate({
    cmd: 'publish',
    topic: 'a/b',
    payload,
    qos: 1,
    messageId: 7,
    retain: false,
    dup: false,
  });

test('messages and PUBACKs are taken out, the rest goes by, however the bytes are cut', async t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const packets: Buffer[] = [];
  const expected: string[] = [];
  const ids: [number, number][] = [];
  const rest: Buffer[] = [];
  for (let i = 0; i < 300; i++) {
    const kind = Math.floor(random() * 4);
    if (kind === 0) {
      rest.push(PINGRESP);
      packets.push(PINGRESP);
    } else if (kind === 1) {
      const reason = random() < 0.5 ? 0x97 : 0;
      ids.push([i + 1, reason]);
      packets.push(Buffer.from(reason ? [0x40, 4, 0, 0, reason, 0] : [0x40, 2, 0, 0]));
      packets.at(-1)!.writeUInt16BE(i + 1, 2);
    } else {
      const text = 'x'.repeat(Math.floor(random() * 300)) + i;
      expected.push(text);
      packets.push(publish(text));
    }
  }
  const { wire, messages, pubacks, passed } = open();
  const bytes = Buffer.concat(packets);
  for (let at = 0; at < bytes.length; ) {
    const size = random() < 0.5 ? 1 + Math.floor(random() * 4) : 1 + Math.floor(random() * 2000);
    wire.push(bytes.subarray(at, at + size));
    at += size;
    if (random() < 0.3) await turn();
  }
  await turn();
  t.deepEqual(messages, expected);
  t.deepEqual(pubacks, ids);
  t.deepEqual(passed(), Buffer.concat(rest));
});

test('after CONNACK nothing is taken before the package knows of it', async t => {
  const { wire, stream, messages, passed } = open();
  wire.push(Buffer.concat([CONNACK, publish('1'), publish('2')]));
  await turn();
  t.deepEqual(passed(), CONNACK);
  t.deepEqual(messages, []);
  t.is(wire.paused, 1);
  stream.resumePublishes();
  t.deepEqual(messages, ['1', '2']);
});

test('a handler that is busy gets no more, and the socket is paused until it resumes', async t => {
  let room = 2;
  const { wire, stream, messages } = open(() => --room > 0);
  wire.push(Buffer.concat(['1', '2', '3', '4', '5'].map(publish)));
  await turn();
  t.deepEqual(messages, ['1', '2']);
  t.is(wire.paused, 1);
  room = 2;
  stream.resumePublishes();
  t.deepEqual(messages, ['1', '2', '3', '4']);
  room = 9;
  stream.resumePublishes();
  wire.push(publish('6'));
  await turn();
  t.deepEqual(messages, ['1', '2', '3', '4', '5', '6']);
});

test('messages of one turn are written together, in order with what the package writes', async t => {
  const { wire, stream } = open();
  const send = (id: number) =>
    stream.sendPublish({
      topic: encodeText('a/b'),
      id,
      properties: NO_PROPERTIES,
      payload: Buffer.from(String(id)),
      retain: false,
    });
  for (let id = 1; id <= 3; id++) send(id);
  stream.write(Buffer.from([0xc0, 0]));
  for (let id = 4; id <= 6000; id++) send(id);
  stream.sendPubacks(Buffer.from([0x40, 2, 0, 9]));
  await turn();
  t.true(wire.written.length < 12, `${wire.written.length} writes`);
  const seen: (string | number)[] = [];
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  parser.on('packet', packet => seen.push(packet.cmd === 'publish' ? packet.messageId! : packet.cmd));
  parser.parse(Buffer.concat(wire.written));
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  t.deepEqual(seen, [...numbers(1, 3), 'pingreq', ...numbers(4, 6000), 'puback']);
});

test('a packet that the package writes in pieces stays whole, however slow the socket is', async t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const { wire, stream } = open();
  wire._write = (chunk: Buffer, _encoding, done) => {
    wire.written.push(chunk);
    setImmediate(done);
  };
  const expected: string[] = [];
  for (let i = 1; i <= 300; i++) {
    const kind = Math.floor(random() * 3);
    if (kind === 0) {
      const subscriptions = [
        { topic: 'a/+', qos: 1 as const },
        { topic: 'b/#', qos: 1 as const },
      ];
      mqttPacket.writeToStream({ cmd: 'subscribe', messageId: i, subscriptions }, stream);
      expected.push(`subscribe ${i}`);
      // What the package has corked goes out at the end of the turn.
      await Promise.resolve();
      await new Promise<void>(resolve => process.nextTick(resolve));
    } else if (kind === 1) {
      stream.sendPubacks(Buffer.from([0x40, 2, i >> 8, i & 0xff]));
      expected.push(`puback ${i}`);
    } else {
      const payload = Buffer.from('x');
      stream.sendPublish({
        topic: encodeText('a'),
        id: i,
        properties: NO_PROPERTIES,
        payload,
        retain: false,
      });
      expected.push(`publish ${i}`);
    }
    if (random() < 0.3) await turn();
  }
  while (wire.writableLength > 0) await turn();
  const seen: string[] = [];
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  parser.on('packet', packet => seen.push(`${packet.cmd} ${packet.messageId}`));
  parser.on('error', error => seen.push(String(error)));
  parser.parse(Buffer.concat(wire.written));
  t.deepEqual(seen, expected);
});

for (const [what, bytes] of [
  ['a length of five bytes', [0x30, 0xff, 0xff, 0xff, 0xff, 1]],
  ['a packet longer than was agreed', [0x30, 0xff, 0x7f]],
  ['a PUBLISH of QoS 3', [0x36, 5, 0, 1, 0x61, 0, 1]],
  ['a topic longer than its packet', [0x32, 4, 0, 9, 0x61, 0x61]],
  ['a PUBACK without an id', [0x40, 1, 0]],
] as const) {
  test(`${what} ends the connection and says so`, async t => {
    const { wire, stream, error } = open();
    wire.push(Buffer.from(bytes));
    await turn();
    t.true(stream.destroyed && wire.destroyed);
    t.regex(error()?.message ?? '', /^the broker sent /);
  });
}
