import test from 'ava';
import * as seal from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { ID } from './support.js';

test('the largest body fits the largest frame, and one byte more would not', t => {
  t.is(seal.MAX_DECODED_BYTES, seal.MAX_BODY_BYTES + seal.FRAME_OVERHEAD_BYTES);
  t.is(seal.cobsBound(seal.MAX_DECODED_BYTES), seal.MAX_FRAME_BYTES);
  t.true(seal.cobsBound(seal.MAX_DECODED_BYTES + 1) > seal.MAX_FRAME_BYTES);
  t.is(seal.MAX_ENVELOPE_BYTES, seal.MAX_BODY_BYTES);
});

test('a payload never needs a head of more than three bytes', t => {
  t.true(seal.MAX_ENVELOPE_BYTES < 0x10000);
});

test('the largest hello fits a message', t => {
  const writer = new seal.MessageWriter();
  const nonces = { gateway: new Uint8Array(16).fill(255), device: new Uint8Array(16).fill(255) };
  const most = seal.MAX_SAFE;
  const length = writer.hello(nodeDigest.hmac(new Uint8Array(32)), ID, nonces, {
    epoch: most,
    next: most,
    oldest: { epoch: most, seq: most },
    backlog: most,
    losses: most,
    firmware: 'x'.repeat(1000),
    restart: 'y'.repeat(1000),
  });
  t.true(length > 0 && length <= seal.MAX_MESSAGE_BYTES);
});

test('numbers', t => {
  t.is(seal.MAX_SAFE, Number.MAX_SAFE_INTEGER);
  t.true(seal.DEFAULT_ENVELOPE_BYTES <= seal.MAX_ENVELOPE_BYTES);
  t.true(seal.MAX_RECORDS < 24, 'counted by one byte');
  t.true(seal.SHORT_TAG_BYTES < seal.TAG_BYTES);
});
