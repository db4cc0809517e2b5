/** What comes over a broker besides readings: topics, a gateway's status, requests to fetch and what became of them. */
import { decodeValue } from '../../firmware/seal/index.js';
import { encodeSdkPayload } from '../../host/journal/payload.js';
import { payloadsOf } from '../../host/journal/payload-sequence.js';
import {
  compare,
  decodeFetched,
  decodeRequest,
  encodeFetched,
  encodeRequest,
  type FetchRange,
  MAX_FETCHED_BYTES,
  MAX_MISSING,
  MAX_RANGES,
  MAX_REQUEST_BYTES,
  MAX_RESULTS,
  type Missing,
  type Place,
} from '../../host/uplink/fetch/format.js';
import { decodeStatus, encodeStatus } from '../../host/uplink/status.js';
import {
  batchTopic,
  fetchedTopic,
  historicalTopic,
  parseTopic,
  sealedTopic,
  statusTopic,
} from '../../host/uplink/topics.js';
import { alteredText } from './alter.js';
import { ensure, mutated, same, type Target } from './core.js';
import { CBOR_WORDS } from './mac0.js';
import { type Dice, words } from './mutate.js';
import { sdkFrame } from './sdk.js';
import { sealed } from './values.js';

const NAMES = ['cellar', 'gw-1a2b', 'a.b_c', 'x'];
const device = (dice: Dice) => Buffer.from(dice.bytes(8)).toString('hex');
const WHYS = ['never', 'lost', 'removed', 'later', 'queued'] as const;

const WORDS = words(
  '{"gateway":"a","site":"b",',
  '"state":"online",',
  '"cursor":',
  '"id":"',
  '"asker":"',
  '"ranges":[',
  '{"device":"0011223344556677","epoch":1,"from":0,"to":2}',
  ',"toEpoch":2',
  ',"missing":[',
  '{"from":[1,2],"to":[1,3],"why":"lost"}',
  ',"reached":[1,2]',
  ',"last":[1,2]',
  '"busy":true,',
  '"x":{"y":[]},',
  '"__proto__":{}',
  '[',
  ']',
  '{',
  '}',
  '"',
  ',',
  ':',
  'null',
  '-0',
  '1e400',
  '0.5',
  '9007199254740991',
  '9007199254740992',
  '/',
  '+',
  '#',
  'sovereign/1/',
  '/sealed',
  '/historical',
  '/batch/',
  '/status',
  [0xff],
);

const KEYS = [
  'gateway',
  'site',
  'state',
  'online',
  'offline',
  'cursor',
  'head',
  'drained',
  'id',
  'asker',
  'ranges',
  'device',
  'epoch',
  'from',
  'to',
  'toEpoch',
  'sent',
  'reached',
  'last',
  'missing',
  'why',
  'lost',
  'more',
];

/** Half of the time a text that is JSON comes back as another one. */
function altered(bytes: Uint8Array, dice: Dice): Uint8Array {
  const text = dice.oneIn(2) ? alteredText(Buffer.from(bytes).toString('utf8'), dice, KEYS) : undefined;
  return text === undefined ? bytes : Buffer.from(text);
}

const topics = mutated('any topic: what it is parsed into makes it again, or it is none of ours', {
  pool: dice =>
    Array.from({ length: 60 }, () => {
      const site = dice.pick(NAMES);
      const topic = dice.pick([
        sealedTopic(site, device(dice)),
        historicalTopic(sealedTopic(site, device(dice))),
        batchTopic(site, 'gw'),
        statusTopic(site, 'gw'),
        fetchedTopic(site, 'gw'),
      ]);
      return Buffer.from(topic);
    }),
  words: WORDS,
  maxBytes: 300,
  check(bytes) {
    const topic = Buffer.from(bytes).toString('utf8');
    const parsed = parseTopic(topic);
    if (parsed === undefined) return false;
    const { kind, site } = parsed;
    if (kind === 'sealed') {
      const again = sealedTopic(site, parsed.device);
      ensure(again === topic || historicalTopic(again) === topic, `makes ${again}`);
      return true;
    }
    const make = { batch: batchTopic, status: statusTopic, fetched: fetchedTopic }[kind];
    const again = make(site, parsed.gateway);
    ensure(again === topic, `makes ${again}`);
    return true;
  },
});

const statuses = mutated('any status: no status, or one that is encoded and read the same', {
  pool: dice =>
    Array.from({ length: 60 }, () =>
      encodeStatus(
        dice.oneIn(3)
          ? { gateway: dice.text(12), site: dice.pick(NAMES), state: 'offline' }
          : {
              gateway: dice.text(12),
              site: dice.pick(NAMES),
              state: 'online',
              cursor: dice.uint(),
              head: dice.uint(),
              drained: dice.oneIn(2),
              ...(dice.oneIn(2) && { fetch: true }),
              at: dice.uint(),
            },
      ),
    ),
  words: WORDS,
  maxBytes: 4200,
  mixed: true,
  check(given, dice) {
    const bytes = altered(given, dice);
    const status = decodeStatus(bytes);
    if (status === undefined) return false;
    ensure(bytes.length <= 4096, `${bytes.length} bytes were taken`);
    for (const offset of status.state === 'online' ? [status.cursor, status.head, status.at] : [])
      ensure(Number.isSafeInteger(offset) && offset >= 0, `offset ${offset}`);
    const again = encodeStatus(status);
    // A text of invalid UTF-8 grows by what stands for its bytes.
    if (again.length > 4096) return false;
    const twice = decodeStatus(again);
    ensure(twice !== undefined && same(encodeStatus(twice), again), 'reads otherwise');
    return true;
  },
});

const place = (dice: Dice): Place => [dice.below(5), dice.uint()];

function range(dice: Dice): FetchRange {
  const [a, b] = [place(dice), place(dice)];
  const order = compare(a, b);
  if (order === 0 || dice.oneIn(3)) return { device: device(dice), from: a, to: undefined };
  return { device: device(dice), from: order < 0 ? a : b, to: order < 0 ? b : a };
}

const requests = mutated('any request to fetch: a reason, or ranges that are encoded and read the same', {
  pool: dice =>
    Array.from({ length: 60 }, () =>
      encodeRequest({
        id: dice.oneIn(2) ? '' : dice.pick(NAMES),
        asker: dice.oneIn(2) ? '' : dice.pick(NAMES),
        ranges: Array.from({ length: 1 + dice.below(dice.oneIn(10) ? MAX_RANGES : 3) }, () => range(dice)),
      }),
    ),
  words: WORDS,
  maxBytes: 34_000,
  mixed: true,
  check(given, dice) {
    const bytes = altered(given, dice);
    const request = decodeRequest(bytes);
    if (typeof request === 'string') return false;
    ensure(bytes.length <= MAX_REQUEST_BYTES, `${bytes.length} bytes were taken`);
    ensure(
      request.ranges.length > 0 && request.ranges.length <= MAX_RANGES,
      `${request.ranges.length} ranges`,
    );
    for (const { from, to } of request.ranges) ensure(compare(from, to) < 0, 'an empty range');
    const again = encodeRequest(request);
    const twice = decodeRequest(again);
    ensure(typeof twice !== 'string' && same(encodeRequest(twice), again), 'reads otherwise');
    return true;
  },
});

const MISSING_KEYS = 'from,to,why';

const answers = mutated('any answer to that: none, or results that are encoded and read the same', {
  pool: dice =>
    Array.from({ length: 60 }, () =>
      encodeFetched({
        gateway: dice.text(12),
        site: dice.pick(NAMES),
        id: dice.oneIn(2) ? '' : dice.pick(NAMES),
        done: dice.oneIn(2),
        busy: dice.oneIn(4),
        results: Array.from({ length: dice.below(3) }, () => ({
          range: range(dice),
          sent: dice.uint(),
          reached: place(dice),
          last: dice.oneIn(2) ? undefined : place(dice),
          missing: Array.from({ length: dice.below(3) }, (): Missing => {
            const at = dice.below(1000);
            return { from: [1, at], to: [1, at + 1 + dice.below(9)], why: dice.pick(WHYS) };
          }),
        })),
      }),
    ),
  words: WORDS,
  maxBytes: 8000,
  mixed: true,
  check(given, dice) {
    const bytes = altered(given, dice);
    const fetched = decodeFetched(bytes);
    if (fetched === undefined) return false;
    ensure(
      bytes.length <= MAX_FETCHED_BYTES && fetched.results.length <= MAX_RESULTS,
      'more than there may be',
    );
    for (const { missing } of fetched.results) {
      ensure(missing.length <= MAX_MISSING, `${missing.length} parts are missing`);
      for (const part of missing)
        ensure(Object.keys(part).sort().join() === MISSING_KEYS, `keeps ${Object.keys(part)}`);
    }
    const again = encodeFetched(fetched);
    const twice = decodeFetched(again);
    ensure(twice !== undefined && same(encodeFetched(twice), again), 'reads otherwise');
    return true;
  },
});

const sequences = mutated('any batch: payloads end to end, and a reason where one is none', {
  pool: dice =>
    Array.from({ length: 60 }, () => {
      const payloads: Uint8Array[] = sealed(dice, 1 + dice.below(4)).map(one => one.bytes);
      if (dice.oneIn(2)) payloads.push(encodeSdkPayload('n', dice.uint(), sdkFrame(dice)));
      return Buffer.concat(payloads);
    }),
  words: CBOR_WORDS,
  maxBytes: 3000,
  check(bytes) {
    let at = 0;
    let payloads = 0;
    for (const payload of payloadsOf(bytes)) {
      if (typeof payload === 'string') return false;
      ensure(++payloads <= bytes.length && payload.length > 0, `${payloads} payloads`);
      ensure(same(payload, bytes.subarray(at, at + payload.length)), 'another payload');
      at += payload.length;
      // What strict CBOR takes, this must have cut where it ends.
      const decoded = decodeValue(bytes, at - payload.length, at);
      ensure(
        !('fault' in decoded) || !['truncated', 'trailing-bytes'].includes(decoded.fault),
        'cut elsewhere',
      );
    }
    ensure(at === bytes.length, `ends at ${at} of ${bytes.length}`);
    return true;
  },
});

export const uplink: Target = {
  name: 'uplink',
  properties: [topics, sequences, statuses, requests, answers],
};
