import { createHmac } from 'node:crypto';
import test from 'ava';
import { MAX_SDK_LINE_BYTES, SdkFrameReader } from '../../../host/intake/sdk-frame.js';
import { nodeDigest } from '../../../host/node/digest.js';

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);

const EXAMPLES = [
  {
    message:
      '1|8:esp32-a1|20:2026-06-19T00:00:00Z|1|11:hmac-sha256|{"sensor":"temperature","unit":"C","value":23}',
    messageBytes: 99,
    frame:
      '{"alg":"hmac-sha256","d":{"sensor":"temperature","unit":"C","value":23},"n":"esp32-a1","q":1,"s":"d7f072cbeb114a95a818ba18661aae0244a31706fa26248b9298a20d8bcb22fb","t":"2026-06-19T00:00:00Z","v":1}',
    frameBytes: 197,
    node: 'esp32-a1',
    sequence: 1,
  },
  {
    message:
      '1|6:noëud|20:2026-06-19T00:00:01Z|42|11:hmac-sha256|{"ok":true,"tags":["a|b","x"],"unit":"°C","value":-4.25}',
    messageBytes: 110,
    frame:
      '{"alg":"hmac-sha256","d":{"ok":true,"tags":["a|b","x"],"unit":"°C","value":-4.25},"n":"noëud","q":42,"s":"4ad619046a9c5eb0549b488f85a57c5db4227008a01dd834479fe9fe7bbd6e7b","t":"2026-06-19T00:00:01Z","v":1}',
    frameBytes: undefined,
    node: 'noëud',
    sequence: 42,
  },
];

function read(text: string) {
  const reader = new SdkFrameReader();
  const bytes = new TextEncoder().encode(text);
  return { reader, fault: reader.parse(bytes, 0, bytes.length) };
}

/** A frame with any payload text, with its MAC over that text. */
function frameOf(payload: string, { node = 'n1', time = '2026', sequence = '1' } = {}): string {
  const size = (text: string) => Buffer.byteLength(text);
  const message = `1|${size(node)}:${node}|${size(time)}:${time}|${sequence}|11:hmac-sha256|${payload}`;
  const mac = createHmac('sha256', KEY).update(message).digest('hex');
  const [n, t] = [JSON.stringify(node), JSON.stringify(time)];
  return `{"alg":"hmac-sha256","d":${payload},"n":${n},"q":${sequence},"s":"${mac}","t":${t},"v":1}`;
}

for (const { message, messageBytes, frame, frameBytes, node, sequence } of EXAMPLES) {
  test(`worked example of ${node}`, t => {
    const { reader, fault } = read(frame);
    t.is(fault, '');
    if (frameBytes !== undefined) t.is(Buffer.byteLength(frame), frameBytes);
    t.is(Buffer.from(reader.message()).toString(), message);
    if (messageBytes === 110) t.is(reader.message().length, messageBytes);
    t.is(reader.node, node);
    t.is(reader.sequence, sequence);
    t.true(reader.verify(nodeDigest.hmac(KEY)));
    t.false(reader.verify(nodeDigest.hmac(KEY.slice(1))));
  });
}

test('verifies over the received bytes: what JavaScript would print otherwise', t => {
  for (const payload of [
    '{"value":23.0}',
    '{"value":1e-07}',
    '{"value":-0.0}',
    '{"big":12345678901234567890}',
  ]) {
    t.not(JSON.stringify(JSON.parse(payload)), payload);
    const { reader, fault } = read(frameOf(payload));
    t.is(fault, '', payload);
    t.true(reader.verify(nodeDigest.hmac(KEY)), payload);
  }
});

test('names and times are authenticated without their escapes', t => {
  const { reader, fault } = read(frameOf('{}', { node: 'a"b\\c\u0001é|5:x', time: '\t🌡\u2028' }));
  t.is(fault, '');
  t.is(reader.node, 'a"b\\c\u0001é|5:x');
  t.true(reader.verify(nodeDigest.hmac(KEY)));
});

test('any character of a frame changed: another form, another node, or a wrong MAC', t => {
  const { frame } = EXAMPLES[0];
  for (let i = 0; i < frame.length; i++) {
    const changed = `${frame.slice(0, i)}${frame[i] === '7' ? '8' : '7'}${frame.slice(i + 1)}`;
    const { reader, fault } = read(changed);
    t.true(fault !== '' || !reader.verify(nodeDigest.hmac(KEY)), changed);
  }
});

const GOOD = frameOf('{"a":1,"b":2.5}');
const MALFORMED: [what: string, text: string, fault: string][] = [
  ['nothing', '', 'head'],
  ['no object', '[]', 'head'],
  ['a space in front', ` ${GOOD}`, 'head'],
  ['a space behind', `${GOOD} `, 'end'],
  ['a carriage return', `${GOOD}\r`, 'end'],
  ['a byte order mark', `\ufeff${GOOD}`, 'head'],
  ['two frames', GOOD + GOOD, 'end'],
  ['whitespace between tokens', GOOD.replace('"d":{', '"d": {'), 'payload'],
  ['whitespace in the payload', GOOD.replace('"a":1', '"a": 1'), 'payload'],
  ['payload keys out of order', frameOf('{"b":2.5,"a":1}'), 'payload'],
  ['a payload key twice', frameOf('{"a":1,"a":2}'), 'payload'],
  ['a payload that is no object', frameOf('[1]'), 'payload'],
  ['NaN', frameOf('{"a":NaN}'), 'payload'],
  ['another algorithm', GOOD.replace('hmac-sha256', 'hmac-sha512'), 'head'],
  ['keys in another order', GOOD.replace(/("n":"n1"),("q":1)/, '$2,$1'), 'node'],
  ['an extra key', GOOD.replace('"n":', '"m":1,"n":'), 'node'],
  ['a key twice', GOOD.replace('"n":"n1"', '"n":"n1","n":"n1"'), 'sequence'],
  ['a node that is no string', GOOD.replace('"n":"n1"', '"n":1'), 'node'],
  ['a node of 129 bytes', frameOf('{}', { node: 'n'.repeat(129) }), 'node'],
  ['sequence 0', frameOf('{}', { sequence: '0' }), 'sequence'],
  ['a negative sequence', frameOf('{}', { sequence: '-1' }), 'sequence'],
  ['a leading zero', frameOf('{}', { sequence: '01' }), 'sequence'],
  ['a sequence with a point', frameOf('{}', { sequence: '1.0' }), 'tag'],
  ['a sequence as text', GOOD.replace('"q":1', '"q":"1"'), 'sequence'],
  ['a sequence beyond 2^53', frameOf('{}', { sequence: '9007199254740993' }), 'sequence'],
  ['a sequence without end', frameOf('{}', { sequence: '1'.repeat(40) }), 'sequence'],
  ['a MAC in capitals', GOOD.replace(/"s":"[^"]*"/, match => match.toUpperCase().replace('S', 's')), 'tag'],
  ['a short MAC', GOOD.replace(/"s":"../, '"s":"'), 'tag'],
  ['a long MAC', GOOD.replace(/"s":"/, '"s":"00'), 'time'],
  ['a time that is no string', GOOD.replace('"t":"2026"', '"t":2026'), 'time'],
  ['a time of 129 bytes', frameOf('{}', { time: '1'.repeat(129) }), 'time'],
  ['version 2', GOOD.replace('"v":1', '"v":2'), 'end'],
  ['version 1.0', GOOD.replace('"v":1', '"v":1.0'), 'end'],
  ['no end', GOOD.slice(0, -1), 'end'],
  ['a line too long', frameOf(`{"a":"${'x'.repeat(MAX_SDK_LINE_BYTES)}"}`), 'too-long'],
];
for (const [what, text, fault] of MALFORMED)
  test(`refuses ${what}`, t => t.is(read(text).fault, fault as never));

test('refuses what is not UTF-8', t => {
  const bytes = new TextEncoder().encode(frameOf('{"a":"x"}'));
  for (const byte of [0x80, 0xc0, 0xff, 0xed]) {
    const changed = bytes.slice();
    changed[changed.indexOf(0x78)] = byte;
    t.is(new SdkFrameReader().parse(changed, 0, changed.length), 'utf8');
  }
});

test('every sequence up to 2^53-1 is what it says', t => {
  for (let sequence = Number.MAX_SAFE_INTEGER; sequence > Number.MAX_SAFE_INTEGER - 60; sequence--) {
    const { reader, fault } = read(frameOf('{}', { sequence: String(sequence) }));
    t.is(fault, '');
    t.is(reader.sequence, sequence);
    t.true(reader.verify(nodeDigest.hmac(KEY)));
  }
});

test('every prefix of a frame is refused', t => {
  for (let end = 0; end < GOOD.length; end++) t.not(read(GOOD.slice(0, end)).fault, '');
});
