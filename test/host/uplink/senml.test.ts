import { createHmac } from 'node:crypto';
import test from 'ava';
import { label, Sealer } from '../../../firmware/seal/index.js';
import { encodeSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { sdkContent } from '../../../host/subscriber/records.js';
import { SenmlEncoder } from '../../../host/uplink/senml.js';
import { decodeStatus, encodeStatus } from '../../../host/uplink/status.js';
import { parseTopic, readingTopic, sealedTopic, statusTopic } from '../../../host/uplink/topics.js';

const encoder = new SenmlEncoder();
const json = (bytes: Uint8Array | undefined) => bytes && JSON.parse(Buffer.from(bytes).toString());

test('an envelope with every kind of value, with and without a clock', t => {
  const sealer = new Sealer(nodeDigest, new Uint8Array(8).fill(7));
  sealer.startEpoch(1, new Uint8Array(32));
  const seal = (unixMs: number) => {
    const writer = sealer.begin(5, unixMs);
    writer.number(label('t', 'Cel'), 21.5);
    writer.bool(label('on'), true);
    writer.text(label('why'), Buffer.from('Grüße'));
    writer.data(label('raw'), Uint8Array.of(0xfb, 0xff));
    const length = sealer.seal();
    return sealer.buffer.slice(sealer.start, sealer.start + length);
  };
  const device = '0707070707070707';
  const records = [
    { n: 't', u: 'Cel', v: 21.5 },
    { n: 'on', vb: true },
    { n: 'why', vs: 'Grüße' },
    { n: 'raw', vd: '-_8' },
  ];
  const [first, ...others] = records;
  const at = 1_700_000_000_250;
  t.deepEqual(json(encoder.encode({ device, at, bytes: seal(1_600_000_000_125) })), [
    { bn: `${device}:`, bt: 1_600_000_000.125, ...first },
    ...others,
  ]);
  const [clockless] = json(new SenmlEncoder().encode({ device, at, bytes: seal(-1) }));
  t.is(clockless.bt, 1_700_000_000.25);
  t.is(clockless.time, 'received');
  t.is(encoder.encode({ device, at, bytes: Uint8Array.of(1, 2, 3) }), undefined);
});

function frame(d: string, time = '2026-06-19T00:00:00Z'): Uint8Array {
  const s = createHmac('sha256', 'k').update('').digest('hex');
  return Buffer.from(`{"alg":"hmac-sha256","d":${d},"n":"node","q":1,"s":"${s}","t":"${time}","v":1}`);
}

test('a sovereign-sdk payload: the sender’s own form, any other object, nothing at all', t => {
  const content = (d: string, time?: string) => sdkContent(frame(d, time));
  t.deepEqual(content('{"sensor":"temperature","unit":"C","value":23.0}'), {
    records: [{ n: 'temperature', v: 23, u: 'Cel' }],
    unixMs: Date.parse('2026-06-19T00:00:00Z'),
  });
  t.deepEqual(content('{"a b":1,"deep":{"x":[true,"y"]},"none":null}', 'noon').records, [
    { n: 'a_b', v: 1 },
    { n: 'deep.x.0', vb: true },
    { n: 'deep.x.1', vs: 'y' },
  ]);
  t.is(content('{}', 'noon').unixMs, -1);
  t.deepEqual(content('{"battery":3.3,"sensor":"door","value":"open"}').records, [
    { n: 'door', vs: 'open' },
    { n: 'battery', v: 3.3 },
  ]);
  t.deepEqual(content('{"sensor":5,"value":{"a":1}}').records, [
    { n: 'sensor', v: 5 },
    { n: 'value.a', v: 1 },
  ]);
  const device = sdkDevice('node');
  const bytes = (d: string) => encodeSdkPayload('node', 0, frame(d));
  t.is(encoder.encode({ device, at: 0, bytes: bytes('{}') }), undefined);
  t.deepEqual(json(encoder.encode({ device, at: 0, bytes: bytes('{"ok":true}') })), [
    { bn: `${device}:`, bt: Date.parse('2026-06-19T00:00:00Z') / 1000, n: 'ok', vb: true },
  ]);
});

test('topics and statuses come back as they went; anything else is none', t => {
  t.deepEqual(parseTopic(sealedTopic('s', 'd')), { kind: 'sealed', site: 's', device: 'd' });
  t.deepEqual(parseTopic(statusTopic('s', 'g')), { kind: 'status', site: 's', gateway: 'g' });
  for (const topic of [
    readingTopic('s', 'd'),
    'sovereign/2/s/d/sealed',
    'x',
    '',
    'sovereign/1/s/d/e/sealed',
  ]) {
    t.is(parseTopic(topic), undefined);
  }
  const online = {
    gateway: 'g',
    site: 's',
    state: 'online' as const,
    cursor: 1,
    head: 2,
    drained: false,
    at: 3,
  };
  const offline = { gateway: 'g', site: 's', state: 'offline' as const };
  t.deepEqual(decodeStatus(encodeStatus(online)), online);
  t.deepEqual(decodeStatus(encodeStatus(offline)), offline);
  const broken = ['', '[]', 'null', '{', '{"state":"online"}', JSON.stringify({ ...online, cursor: -1 })];
  for (const text of [...broken, JSON.stringify({ ...online, head: '9' }), ' '.repeat(5000)]) {
    t.is(decodeStatus(Buffer.from(text)), undefined);
  }
});
