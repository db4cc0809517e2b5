import test from 'ava';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import {
  encodeProperties,
  encodeText,
  NO_PROPERTIES,
  type PacketLength,
  packetLength,
  publishBound,
  readPublish,
  writePublish,
} from '../../../host/node/mqtt-packets.js';
import { PacketIds } from '../../../host/node/packet-ids.js';
import { freshSeed, prng } from '../../support/prng.js';

const SIZES = [0, 1, 90, 127, 128, 129, 16_200, 16_383, 16_384, 70_000, 2_097_152];

function oracle(bytes: Buffer, five: boolean): IPublishPacket {
  const parser = mqttPacket.parser({ protocolVersion: five ? 5 : 4 });
  let found: IPublishPacket | undefined;
  parser.on('packet', packet => {
    found = packet as IPublishPacket;
  });
  parser.parse(bytes);
  return found!;
}

for (const five of [false, true]) {
  test(`MQTT ${five ? 5 : '3.1.1'}: what is written, the package mqtt-packet reads, whatever the length`, t => {
    const topic = encodeText('sovereign/1/käfer/0011223344556677/sealed');
    const user = { historical: 'true', 'b ä': 'ü' };
    const properties = five ? encodeProperties('application/cose', user) : NO_PROPERTIES;
    for (const size of SIZES) {
      const payload = Buffer.alloc(size, 0xa5);
      const out = Buffer.alloc(publishBound(topic, properties, payload) + 7);
      const end = writePublish(out, 7, { topic, id: 0xfe01, properties, payload, retain: size % 2 === 1 });
      t.true(end <= out.length);
      const read = oracle(out.subarray(7, end), five);
      t.is(read.topic, 'sovereign/1/käfer/0011223344556677/sealed');
      t.deepEqual([read.qos, read.retain, read.dup, read.messageId], [1, size % 2 === 1, false, 0xfe01]);
      t.true(payload.equals(read.payload as Buffer));
      if (!five) continue;
      t.is(read.properties?.contentType, 'application/cose');
      t.deepEqual({ ...read.properties?.userProperties }, user);
    }
  });

  test(`MQTT ${five ? 5 : '3.1.1'}: what mqtt-packet writes is read; cut anywhere it is not yet a packet, or none`, t => {
    const seed = freshSeed();
    t.log(`seed ${seed}`);
    const random = prng(seed);
    for (let round = 0; round < 400; round++) {
      const qos = random() < 0.3 ? 0 : 1;
      const payload = Buffer.alloc(Math.floor(random() * 300), 1);
      const bytes = mqttPacket.generate(
        {
          cmd: 'publish',
          topic: `a/${'é'.repeat(Math.floor(random() * 30))}`,
          payload,
          qos,
          retain: random() < 0.5,
          dup: qos === 1 && random() < 0.5,
          ...(qos === 1 && { messageId: 1 + Math.floor(random() * 65_535) }),
          ...(five &&
            random() < 0.5 && { properties: { contentType: 'x'.repeat(Math.floor(random() * 200)) } }),
        },
        { protocolVersion: five ? 5 : 4 },
      );
      const expected = oracle(bytes, five);
      const length: PacketLength = { bytes: 0, headBytes: 0 };
      packetLength(bytes, 0, length);
      t.is(length.bytes, bytes.length);
      const read = readPublish(bytes, 0, length.headBytes, bytes.length, five)!;
      t.is(read.topic, expected.topic as string);
      t.is(read.qos, qos);
      t.is(read.id, qos === 1 ? expected.messageId! : 0);
      t.true(payload.equals(read.payload));
      packetLength(bytes.subarray(0, 1), 0, length);
      t.is(length.bytes, 0);
      // A packet that says less than it holds: never read past its end.
      for (let end = 2; end < bytes.length - payload.length; end++) {
        const short = readPublish(bytes.subarray(0, end), 0, 2, end, five);
        t.true(short === undefined || short.payload.length <= end);
      }
    }
  });
}

test('a length of five bytes is no MQTT; a text of more than 65,535 bytes can’t be told', t => {
  const length: PacketLength = { bytes: 0, headBytes: 0 };
  packetLength(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1]), 0, length);
  t.is(length.bytes, -1);
  packetLength(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), 0, length);
  t.is(length.bytes, 5 + 268_435_455);
  t.throws(() => encodeText('x'.repeat(65_536)), { instanceOf: RangeError });
});

test('packet ids: none twice while in use, all of them, and again once free', t => {
  const ids = new PacketIds();
  t.is(ids.getLastAllocated(), null);
  t.true(ids.register(2));
  t.false(ids.register(2));
  const given = new Set<number>();
  for (let i = 0; i < 65_534; i++) given.add(ids.allocate()!);
  t.is(given.size, 65_534);
  t.false(given.has(2) || given.has(0));
  t.is(ids.allocate(), null);
  ids.deallocate(77);
  ids.deallocate(77);
  t.is(ids.allocate(), 77);
  t.is(ids.allocate(), null);
  ids.clear();
  t.is(ids.allocate(), 78);
});
