import test from 'ava';
import { Kind, label, Sealer } from '../../../firmware/seal/index.js';
import {
  describePayload,
  encodeSdkPayload,
  isEnvelope,
  payloadTag8,
  readSdkPayload,
  sdkDevice,
} from '../../../host/journal/payload.js';
import { nodeDigest } from '../../../host/node/digest.js';

const FRAME =
  '{"alg":"hmac-sha256","d":{"s":",\\"s\\":\\"x","value":23},"n":"noëud","q":42,"s":"d7f072cbeb114a95a818ba18661aae0244a31706fa26248b9298a20d8bcb22fb","t":"t,\\"s\\":\\"","v":1}';

function sealed(kind: number): Uint8Array {
  const sealer = new Sealer(nodeDigest, Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]));
  sealer.startEpoch(7, new Uint8Array(32));
  const writer = sealer.begin(5, -1, kind);
  writer.number(label('t', 'Cel'), 21.5);
  const length = sealer.seal();
  return sealer.buffer.slice(sealer.start, sealer.start + length);
}

test('an envelope says whose it is, and whether the epoch ends', t => {
  const bytes = sealed(Kind.final);
  t.true(isEnvelope(bytes));
  t.like(describePayload(bytes), { device: '0102030405060708', epoch: 7, seq: 0, final: true });
  t.is(describePayload(bytes)?.tag8, payloadTag8(bytes));
  t.false(describePayload(sealed(0))?.final);
  t.is(describePayload(bytes.subarray(0, bytes.length - 1)), undefined);
});

test('a wrapped frame says node, sequence and MAC, whatever its texts contain', t => {
  const bytes = encodeSdkPayload('noëud', 3, Buffer.from(FRAME));
  t.false(isEnvelope(bytes));
  const wrapped = readSdkPayload(bytes);
  t.is(wrapped?.node, 'noëud');
  t.is(wrapped?.epoch, 3);
  t.is(Buffer.from(wrapped!.frame).toString(), FRAME);
  t.deepEqual(describePayload(bytes), {
    device: sdkDevice('noëud'),
    epoch: 3,
    seq: 42,
    tag8: 'd7f072cbeb114a95',
    final: false,
  });
  t.is(payloadTag8(bytes), 'd7f072cbeb114a95');
});

test('a wrapped frame has one encoding, and a tag of hex digits alone', t => {
  const bytes = encodeSdkPayload('n', 3, Buffer.from(FRAME));
  t.deepEqual([...bytes.subarray(0, 5)], [0x84, 1, 0x61, 0x6e, 3]);
  const rest = bytes.subarray(5);
  // An epoch and a name longer than they need be, a name that is no UTF-8.
  for (const head of [
    [0x84, 1, 0x61, 0x6e, 0x18, 3],
    [0x84, 1, 0x78, 1, 0x6e, 3],
    [0x84, 1, 0x61, 0xff, 3],
  ]) {
    t.is(readSdkPayload(Uint8Array.from([...head, ...rest])), undefined);
  }
  // The tag goes into the next segment's header as it is.
  const quote = FRAME.replace('d7f072', 'd7"072');
  t.is(payloadTag8(encodeSdkPayload('n', 3, Buffer.from(quote))), '');
  t.is(describePayload(encodeSdkPayload('n', 3, Buffer.from(FRAME.replace('"q":42', '"q":4e2')))), undefined);
});

test('no bytes make it throw, cut or flipped', t => {
  for (const whole of [sealed(0), encodeSdkPayload('n', 2 ** 40, Buffer.from(FRAME))]) {
    for (let i = 0; i < whole.length; i++) {
      describePayload(whole.subarray(0, i));
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Uint8Array.from(whole);
        bytes[i] ^= 1 << bit;
        describePayload(bytes);
        payloadTag8(bytes);
      }
    }
  }
  t.is(readSdkPayload(Uint8Array.from([0x84, 1, 0x7b, 255, 255, 255, 255, 255, 255, 255, 255])), undefined);
  t.is(describePayload(new Uint8Array(0)), undefined);
});
