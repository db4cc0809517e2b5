import test from 'ava';
import { encodeMessage, MAX_ANSWER_BYTES, MessageDecoder } from '../../../host/control/protocol.js';

const MiB = 1024 * 1024;

test('a message in single bytes takes no more than a few times its bytes', t => {
  const sent = encodeMessage({ ok: true, value: 'x'.repeat(MiB) });
  const got: number[] = [];
  const decoder = new MessageDecoder(MAX_ANSWER_BYTES, text => got.push(text.length));
  const before = process.memoryUsage().heapUsed + process.memoryUsage().external;
  for (let i = 0; i < sent.length - 1; i++) decoder.push(sent.subarray(i, i + 1));
  const after = process.memoryUsage().heapUsed + process.memoryUsage().external;
  t.true(after - before < 64 * MiB, `${(after - before) / MiB} MiB`);
  decoder.push(sent.subarray(-1));
  t.deepEqual(got, [sent.length - 4]);
});

test('a length that is only claimed takes nothing', t => {
  const before = process.memoryUsage().external;
  const decoders = Array.from({ length: 100 }, () => new MessageDecoder(MAX_ANSWER_BYTES, () => t.fail()));
  for (const decoder of decoders) t.true(decoder.push(Uint8Array.of(1, 0, 0, 0, 0x7b)));
  t.true(process.memoryUsage().external - before < 8 * MiB);
});
