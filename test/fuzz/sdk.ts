/** Frames of sovereign-sdk sensors, as they come and as they travel, and the stream of one connection. */
import { decodeValue, encodeValue, toHex } from '../../firmware/seal/index.js';
import { MAX_SDK_LINE_BYTES, SdkFrameReader } from '../../host/intake/sdk-frame.js';
import {
  describePayload,
  encodeSdkPayload,
  payloadTag8,
  readSdkPayload,
} from '../../host/journal/payload.js';
import { Keyring } from '../../host/keyring/file.js';
import { sdkDeviceId } from '../../host/keyring/sdk-id.js';
import { nodeDigest } from '../../host/node/digest.js';
import { Opener } from '../../host/subscriber/open.js';
import { sdkContent } from '../../host/subscriber/records.js';
import { ensure, mutated, same, type Target } from './core.js';
import { printedObject, quoted } from './json.js';
import { CBOR_WORDS } from './mac0.js';
import { type Dice, words } from './mutate.js';
import { sealed } from './values.js';

const NODE = 'esp32-ä"1';
const KEY = new Uint8Array(32).fill(9);
const mac = nodeDigest.hmac(KEY);

/** A frame with its MAC; of another node now and then. */
export function sdkFrame(dice: Dice): Uint8Array {
  const node = dice.oneIn(4) ? dice.text(20) : NODE;
  const time = dice.oneIn(3) ? dice.text(20) : '2026-06-19T00:00:00Z';
  const sequence = 1 + Math.min(dice.uint(), Number.MAX_SAFE_INTEGER - 1);
  const payload = dice.oneIn(3)
    ? `{"sensor":${quoted(dice.text(5))},"unit":"C","value":${dice.below(100)}.5}`
    : printedObject(dice);
  return Buffer.from(frameText(node, time, sequence, payload, macOf(node, time, sequence, payload)));
}

function frameText(node: string, time: string, sequence: number, payload: string, tag: string): string {
  return `{"alg":"hmac-sha256","d":${payload},"n":${quoted(node)},"q":${sequence},"s":"${tag}","t":${quoted(time)},"v":1}`;
}

function messageText(node: string, time: string, sequence: number, payload: string): string {
  const size = (text: string) => Buffer.byteLength(text);
  return `1|${size(node)}:${node}|${size(time)}:${time}|${sequence}|11:hmac-sha256|${payload}`;
}

function macOf(node: string, time: string, sequence: number, payload: string): string {
  const message = Buffer.from(messageText(node, time, sequence, payload));
  const tag = new Uint8Array(32);
  mac.compute(message, 0, message.length, tag, 0);
  return toHex(tag);
}

const WORDS = words(
  '{"alg":"hmac-sha256","d":',
  ',"n":"',
  ',"q":',
  ',"s":"',
  '","t":"',
  ',"v":1}',
  '{"sensor":"a","unit":"C","value":1}',
  '"__proto__":{"a":1}',
  '"',
  '\\"',
  '\\u0000',
  '{',
  '}',
  '[',
  ',',
  '9007199254740991',
  '9007199254740992',
  '0',
  'e',
  '|5:',
  '\n',
  [0xff],
);

const reader = new SdkFrameReader();

const frames = mutated('any line is refused, or is a frame that its fields make again', {
  pool: dice => Array.from({ length: 150 }, () => sdkFrame(dice)),
  words: WORDS,
  maxBytes: MAX_SDK_LINE_BYTES + 40,
  check(bytes) {
    const fault = reader.parse(bytes, 0, bytes.length);
    if (fault !== '') {
      ensure(/^[a-z0-9-]+$/.test(fault), 'no reason');
      return false;
    }
    ensure(bytes.length <= MAX_SDK_LINE_BYTES, `${bytes.length} bytes were taken`);
    // The message says what was read; taken apart by its lengths, it must make the very line.
    const message = Buffer.from(reader.message());
    const node = piece(message, 2);
    const time = piece(message, node.end + 1);
    const rest = message.toString('utf8', time.end + 1);
    const payload = rest.slice(rest.indexOf('|11:hmac-sha256|') + 16);
    ensure(node.text === reader.node, 'another node');
    ensure(
      messageText(node.text, time.text, reader.sequence, payload) === message.toString('utf8'),
      'another message',
    );
    const again = Buffer.from(frameText(node.text, time.text, reader.sequence, payload, toHex(reader.tag)));
    ensure(same(again, bytes), `makes ${again}`);
    const right = macOf(node.text, time.text, reader.sequence, payload) === toHex(reader.tag);
    ensure(reader.verify(mac) === right, 'verify is wrong');
    // Whoever holds the key may write any payload: what people see of it is bounded all the same.
    const { records, unixMs } = sdkContent(bytes);
    ensure(records.length <= 65, `${records.length} records`);
    ensure(Number.isSafeInteger(unixMs), `time ${unixMs}`);
    return true;
  },
});

function piece(message: Buffer, at: number): { text: string; end: number } {
  const colon = message.indexOf(0x3a, at);
  const end = colon + 1 + Number(message.toString('latin1', at, colon));
  return { text: message.toString('utf8', colon + 1, end), end };
}

const opener = new Opener(
  new Keyring([
    {
      id: sdkDeviceId(NODE),
      name: 'node',
      epoch: 0,
      chain: new Uint8Array(0),
      sdk: { node: NODE, key: KEY, allowReset: false },
    },
  ]),
  nodeDigest,
);

const payloads = mutated('any payload: wrapped frame, envelope or neither, and one encoding each', {
  pool: dice => [
    ...Array.from({ length: 150 }, () => {
      const frame = sdkFrame(dice);
      reader.parse(frame, 0, frame.length);
      return encodeSdkPayload(reader.node, dice.uint(), frame);
    }),
    ...sealed(dice, 30).map(one => one.bytes),
  ],
  words: [...WORDS, ...CBOR_WORDS],
  maxBytes: 4096,
  check(bytes) {
    const wrapped = readSdkPayload(bytes);
    const plain = decodeValue(bytes);
    const items = 'value' in plain && Array.isArray(plain.value) ? plain.value : [];
    const [mark, name, number, inner] = items;
    const form =
      items.length === 4 &&
      mark === 1 &&
      typeof name === 'string' &&
      Buffer.byteLength(name) <= 256 &&
      Number.isSafeInteger(number) &&
      number >= 0 &&
      inner instanceof Uint8Array;
    ensure((wrapped !== undefined) === form, `taken apart ${wrapped !== undefined}, by plain CBOR ${form}`);
    if (wrapped !== undefined) {
      const { node, epoch, frame } = wrapped;
      ensure(same(encodeSdkPayload(node, epoch, frame), bytes), 'encodes otherwise');
      ensure(same(encodeValue(items), bytes), 'encodes otherwise as plain CBOR');
    }
    const tag8 = payloadTag8(bytes);
    ensure(/^([0-9a-f]{16})?$/.test(tag8), `tag ${JSON.stringify(tag8)}`);
    const described = describePayload(bytes);
    const opened = opener.open(bytes);
    if (described !== undefined) {
      ensure(/^[0-9a-f]{16}$/.test(described.device) && described.tag8 === tag8, 'described otherwise');
      ensure(
        Number.isSafeInteger(described.seq) && Number.isSafeInteger(described.epoch),
        'no whole numbers',
      );
    }
    if (!opened.ok) return described !== undefined && opened.reason !== 'mac' && items.length !== 4;
    const { device, epoch, seq } = opened;
    ensure(
      described?.device === device &&
        described.epoch === epoch &&
        described.seq === seq &&
        opened.tag8 === tag8,
      'opened and described differ',
    );
    return true;
  },
  mixed: true,
});

export const sdk: Target = { name: 'sdk', properties: [frames, payloads] };
