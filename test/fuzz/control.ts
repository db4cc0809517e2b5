/** The control socket: `MessageDecoder` however the bytes come, `readRequest`, `readAnswer`, `readStreamMessage`. */
import { CALLS, type ControlRequest } from '../../host/control/calls.js';
import {
  encodeMessage,
  MAX_REQUEST_BYTES,
  MessageDecoder,
  readAnswer,
  readRequest,
  readStreamMessage,
} from '../../host/control/protocol.js';
import { alteredText } from './alter.js';
import { chunks, ensure, mutated, same, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const WORDS = words(
  '{"call":"status"}',
  '{"call":"quarantine-list","limit":100,"after":"3-1024","reason":"mac"}',
  '{"call":"log-level","level":"debug"}',
  '{"item":',
  '{"lost":',
  '"device":"cellar"',
  '"before":9007199254740991',
  '"id":"1-0"',
  '{"ok":true,"value":',
  '{"ok":false,"code":"failed","message":"x"}',
  '"call"',
  '"__proto__":1,',
  '{',
  '}',
  '[',
  '"',
  ',',
  'null',
  [0, 0, 0, 17],
  [0, 0, 0, 0],
  [0, 0, 0, 1],
  [0, 0, 16, 0],
  [0, 0, 16, 1],
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0xff],
);

const KEYS = [
  'call',
  'status',
  'ok',
  'value',
  'code',
  'message',
  'more',
  'device',
  'limit',
  'id',
  'item',
  'lost',
];

function request(dice: Dice): ControlRequest {
  const device = dice.pick(['00000000000000aa', 'cellar', '温度']);
  return dice.pick<ControlRequest>([
    { call: 'status', args: {} },
    { call: 'device', args: { device } },
    {
      call: 'quarantine-list',
      args: { limit: 1 + dice.below(100), after: `${dice.below(20)}-${dice.below(1e6)}` },
    },
    { call: 'quarantine-release', args: { id: '1-0' } },
    { call: 'log-level', args: { level: dice.pick(['debug', 'info', 'warn', 'error'] as const) } },
    { call: 'readings', args: { device, before: dice.uint(), since: dice.uint(), limit: 5000 } },
    { call: 'tail', args: { device } },
    { call: 'log', args: { recent: dice.below(500) } },
  ]);
}

function message(dice: Dice): Uint8Array {
  if (dice.oneIn(2)) return encodeMessage(request(dice));
  if (dice.oneIn(3)) return encodeMessage(dice.pick([{ item: dice.text(20) }, { lost: dice.below(1e9) }]));
  if (dice.oneIn(2))
    return encodeMessage({ ok: false, code: 'failed', message: dice.text(30), remedy: dice.text(9) });
  return encodeMessage({ ok: true, value: [dice.uint(), dice.text(20), null] });
}

/** The messages of a stream, until a length is out of bounds. */
function expected(
  stream: Uint8Array,
  maxBytes: number,
): { texts: Uint8Array[]; sound: boolean; within: boolean } {
  const texts: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= stream.length) {
    const length = Buffer.from(stream.subarray(at, at + 4)).readUInt32BE();
    if (length < 2 || length > maxBytes) return { texts, sound: false, within: true };
    if (at + 4 + length > stream.length) break;
    texts.push(stream.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { texts, sound: true, within: at < stream.length };
}

const streams = mutated('any stream, cut anywhere: the same messages, until a length is out of bounds', {
  pool: dice =>
    Array.from({ length: 80 }, () =>
      Buffer.concat(Array.from({ length: 1 + dice.below(4) }, () => message(dice))),
    ),
  words: WORDS,
  maxBytes: 10_000,
  check(stream, dice) {
    const maxBytes = dice.pick([20, 100, MAX_REQUEST_BYTES]);
    const texts: Uint8Array[] = [];
    const decoder = new MessageDecoder(maxBytes, text => {
      ensure(text.length <= maxBytes, `a message of ${text.length} bytes`);
      texts.push(text);
    });
    let sound = true;
    for (const piece of chunks(stream, dice)) {
      const taken = decoder.push(piece);
      ensure(sound || !taken, 'goes on after a wrong length');
      sound = taken;
    }
    const want = expected(stream, maxBytes);
    ensure(sound === want.sound, `sound ${sound}, not ${want.sound}`);
    ensure(!sound || decoder.within === want.within, `within ${decoder.within}, not ${want.within}`);
    ensure(texts.length === want.texts.length, `${texts.length} messages, not ${want.texts.length}`);
    for (const [i, text] of texts.entries()) ensure(same(text, want.texts[i]), `message ${i} differs`);
    return texts.length > 0;
  },
  mixed: true,
});

const texts = mutated('any message: a request, an answer, or what is wrong with it', {
  pool: dice => Array.from({ length: 60 }, () => message(dice).slice(4)),
  words: WORDS,
  maxBytes: MAX_REQUEST_BYTES,
  mixed: true,
  check(bytes, dice) {
    const other = dice.oneIn(2) && alteredText(Buffer.from(bytes).toString('utf8'), dice, KEYS);
    const text = other ? Buffer.from(other) : bytes;
    const request = readRequest(text);
    const answer = readAnswer(text);
    if ('fault' in request) {
      ensure(['bad-request', 'unknown-call'].includes(request.fault), `fault ${request.fault}`);
      ensure(request.message.length > 0 && request.message.length < 300, `says ${request.message}`);
    } else {
      ensure(CALLS.includes(request.call), `call ${request.call}`);
      const again = readRequest(encodeMessage(request).slice(4));
      ensure(!('fault' in again) && same(encodeMessage(again), encodeMessage(request)), 'reads otherwise');
    }
    if (answer !== undefined) {
      const encoded = encodeMessage(answer);
      const again = readAnswer(encoded.slice(4));
      ensure(again !== undefined && same(encodeMessage(again), encoded), 'reads otherwise');
    }
    const streamed = readStreamMessage(text);
    if (streamed !== undefined) {
      const encoded = encodeMessage(streamed);
      const again = readStreamMessage(encoded.slice(4));
      ensure(again !== undefined && same(encodeMessage(again), encoded), 'reads otherwise');
    }
    return !('fault' in request) || answer !== undefined || streamed !== undefined;
  },
});

export const control: Target = { name: 'control', properties: [streams, texts] };
