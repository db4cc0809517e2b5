import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fromHex, label, Sealer, toHex } from '../../../firmware/seal/index.js';
import { register } from '../../../host/cli/verify.js';
import type { ReadingEntry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import { encodeSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { entryFor, newDeviceKeys, ratchet } from '../../../host/keyring/provision.js';
import { systemClock } from '../../../host/node/clock.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { silentLog } from '../../../host/node/log.js';
import { systemRandom } from '../../../host/node/random.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { runCommand, temporary } from './commands.js';

const TEMPERATURE = label('temperature', 'Cel');

function device(name: string): KeyringEntry {
  const keys = newDeviceKeys(systemRandom, nodeDigest, () => false);
  return entryFor(keys, name);
}

/** The first readings of an epoch. */
function readings(entry: KeyringEntry, epoch: number, count: number, from = 20): Uint8Array[] {
  const sealer = new Sealer(nodeDigest, fromHex(entry.id)!);
  sealer.startEpoch(epoch, ratchet(nodeDigest, entry.chain, epoch - entry.epoch));
  return Array.from({ length: count }, (_, i) => {
    sealer.begin(1000 * i, 1_780_000_000_000 + 1000 * i, 0).number(TEMPERATURE, from + i);
    const length = sealer.seal();
    return sealer.buffer.slice(sealer.start, sealer.start + length);
  });
}

function setUp(t: ExecutionContext, entries: readonly KeyringEntry[]) {
  const directory = temporary(t);
  const keyring = join(directory, 'keyring.yaml');
  writeFileSync(keyring, new Keyring(entries).render(), { mode: 0o600 });
  const file = (name: string, ...parts: Uint8Array[]) => {
    const path = join(directory, name);
    writeFileSync(path, Buffer.concat(parts));
    return path;
  };
  const run = (...args: string[]) => runCommand(register, ['verify', '--keyring', keyring, ...args]);
  return { directory, file, run };
}

test('a single envelope', async t => {
  const entry = device('probe');
  const { file, run } = setUp(t, [entry]);
  const [envelope] = readings(entry, 1, 1, 21.5);
  const path = file('one', envelope);
  const { json, err, fault } = await run('--json', path);
  const sha256 = new Uint8Array(32);
  nodeDigest.sha256(envelope, 0, envelope.length, sha256, 0);
  t.deepEqual(json(), [
    {
      file: path,
      at: 0,
      ok: true,
      device: entry.id,
      name: 'probe',
      epoch: 1,
      seq: 0,
      sha256: toHex(sha256),
      time: new Date(1_780_000_000_000).toISOString(),
      records: [{ n: 'temperature', u: 'Cel', v: 21.5 }],
    },
  ]);
  t.is(err, '1 verified, 0 failed\n');
  t.is(fault, undefined);
  t.regex((await run(path)).out, /^ok {6}probe 1:0 .* temperature=21\.5 Cel\n$/);
});

test('every bit of an envelope counts', async t => {
  const entry = device('probe');
  const { file, run } = setUp(t, [entry]);
  const [envelope] = readings(entry, 1, 1);
  for (let bit = 0; bit < 8 * envelope.length; bit += 37) {
    const flipped = envelope.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const { fault, json } = await run('--json', file('flipped', flipped));
    t.is(fault?.code, 'verify-failed', `bit ${bit}`);
    t.false(json().some(({ ok }) => ok === true));
  }
});

test('a sequence of envelopes: repetitions, gaps, forks, and what ends early', async t => {
  const [a, b] = [device('a'), device('b')];
  const { file, run } = setUp(t, [a, b]);
  const [first, second] = [readings(a, 1, 6), readings(b, 1, 3)];
  const good = await run(
    file('good', first[0], second[0], first[1], first[1], first[4], first[5], second[1]),
  );
  t.is(good.fault, undefined);
  t.is(good.err, '7 verified, 0 failed, 1 of them again, 2 missing in between\n');

  const other = readings(a, 1, 2, 99);
  const fork = await run('--json', file('fork', first[0], first[1], other[1]));
  t.deepEqual(
    fork.json().map(({ ok, reason }) => reason ?? ok),
    [true, true, 'fork'],
  );
  const link = await run('--json', file('link', first[0], other[1]));
  t.is(link.json()[1].reason, 'fork');
  t.is(link.fault?.message, '1 of 2 did not verify');

  const cut = await run('--json', file('cut', first[0], first[1].subarray(0, 50)));
  t.deepEqual(
    cut.json().map(({ ok, reason, at }) => [reason ?? ok, at]),
    [
      [true, 0],
      ['truncated', first[0].length],
    ],
  );
});

test('other devices, other keys, other bytes', async t => {
  const entry = device('probe');
  const stranger = device('stranger');
  const { file, run } = setUp(t, [{ ...entry, epoch: 5, chain: ratchet(nodeDigest, entry.chain, 5) }]);
  const reason = async (...parts: Uint8Array[]) => {
    const { json, fault } = await run('--json', file('x', ...parts));
    t.is(fault?.code, 'verify-failed');
    return json()[0].reason;
  };
  t.is(await reason(readings(stranger, 1, 1)[0]), 'unknown-device');
  t.is(await reason(readings({ ...stranger, id: entry.id }, 6, 1)[0]), 'mac');
  t.is(await reason(readings(entry, 4, 1)[0]), 'too-old');
  t.is(await reason(readings({ ...entry, epoch: 2e6 }, 2e6, 1)[0]), 'too-far');
  t.is(await reason(new Uint8Array(0)), 'empty');
  t.is(await reason(new Uint8Array(1000).fill(0xff)), 'cbor');
  t.is(await reason(new Uint8Array([0x9b, 255, 255, 255, 255, 255, 255, 255, 255])), 'truncated');
  t.is(await reason(new Uint8Array(100_000).fill(0x81)), 'cbor');
  t.is((await run('/nowhere')).fault?.code, 'file-missing');
});

test('an epoch far past the base is found, as the journal of a gateway after years has it', async t => {
  const entry = device('probe');
  const { file, run } = setUp(t, [entry]);
  const { fault, err } = await run(file('far', ...readings(entry, 70_000, 3)));
  t.is(fault, undefined);
  t.is(err, '3 verified, 0 failed\n');
});

async function journal(directory: string, payloads: readonly Uint8Array[], devices: readonly KeyringEntry[]) {
  const path = join(directory, 'journal');
  const opened = await Journal.open(
    { storage: new NodeStorage(), clock: systemClock, log: silentLog },
    { directory: path },
  );
  const durable = new Promise<void>(resolve => {
    let left = payloads.length;
    opened.onDurable(batch => {
      left -= batch.length;
      if (left === 0) resolve();
    });
  });
  for (const bytes of payloads) {
    const entry = { kind: 'reading', at: 1, link: 'tcp:x', final: false, offset: -1, bytes } as const;
    opened.append({ ...entry, ...place(bytes, devices) } as ReadingEntry);
  }
  await durable;
  await opened.close();
  const [segment] = await new NodeStorage().list(path);
  return join(path, segment);
}

function place(bytes: Uint8Array, devices: readonly KeyringEntry[]) {
  const index = devices.findIndex(({ id }) => Buffer.from(bytes).includes(Buffer.from(id, 'hex')));
  const tag8 = toHex(bytes, bytes.length - 32, bytes.length - 24);
  if (index < 0) return { device: sdkDevice('esp32-a1'), epoch: 3, seq: 1, tag8: 'd7f072cbeb114a95' };
  return { device: devices[index].id, epoch: 1, seq: counters.get(index)?.next().value ?? 0, tag8 };
}

const counters = new Map([[0, [0, 1, 2, 3, 4, 5][Symbol.iterator]()]]);

test('a segment of a journal, with sovereign-sdk frames, damage and a torn tail', async t => {
  const entry = device('probe');
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const sdk: KeyringEntry = {
    id: sdkDevice('esp32-a1'),
    name: 'hut',
    epoch: 0,
    chain: new Uint8Array(0),
    sdk: { node: 'esp32-a1', key, allowReset: false },
  };
  const { directory, file, run } = setUp(t, [entry, sdk]);
  const frame = Buffer.from(
    '{"alg":"hmac-sha256","d":{"sensor":"temperature","unit":"C","value":23},"n":"esp32-a1","q":1,"s":"d7f072cbeb114a95a818ba18661aae0244a31706fa26248b9298a20d8bcb22fb","t":"2026-06-19T00:00:00Z","v":1}',
  );
  const payloads = [...readings(entry, 1, 4), encodeSdkPayload('esp32-a1', 3, frame)];
  const segment = await journal(directory, payloads, [entry]);

  const whole = await run('--json', segment);
  t.is(whole.fault, undefined, whole.out);
  t.is(whole.err, '5 verified, 0 failed\n');
  t.like(whole.json()[4], {
    name: 'hut',
    epoch: 3,
    seq: 1,
    records: [{ n: 'temperature', u: 'Cel', v: 23 }],
  });

  const bytes = readFileSync(segment);
  const lines = bytes.toString('latin1').split('\n');
  const second = lines.findIndex(line => line.startsWith('{"o":')) + 1;
  const at = lines.slice(0, second).join('\n').length + 100;
  const damaged = Buffer.from(bytes);
  damaged[at] ^= 1;
  const broken = await run('--json', file('damaged.jsonl', damaged.subarray(0, damaged.length - 20)));
  t.is(broken.fault?.code, 'verify-failed');
  t.deepEqual(
    broken.json().flatMap(({ ok, reason }) => (ok ? [] : [reason])),
    ['line'],
  );
  t.regex(broken.err, /1 failed.*torn/);
});
