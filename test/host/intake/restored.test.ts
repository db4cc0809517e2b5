/** Epochs of sovereign-sdk sensors at a gateway that was restored from a backup. */
import { createHash, createHmac } from 'node:crypto';
import test from 'ava';
import { firstSdkEpoch } from '../../../host/intake/sdk-intake.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { Rig } from './rig.js';

const NODE = 'esp32-a1';
const KEY = Buffer.alloc(32, 3);
const ID = createHash('sha256').update(NODE).digest('hex').slice(0, 16);

function entry(allowReset: boolean): KeyringEntry {
  return {
    id: ID,
    name: NODE,
    epoch: 0,
    chain: new Uint8Array(0),
    sdk: { node: NODE, key: KEY, allowReset },
  };
}

function frame(sequence: number, value: number): string {
  const payload = `{"value":${value}}`;
  const message = `1|${NODE.length}:${NODE}|4:2026|${sequence}|11:hmac-sha256|${payload}`;
  const mac = createHmac('sha256', KEY).update(message).digest('hex');
  return `{"alg":"hmac-sha256","d":${payload},"n":"${NODE}","q":${sequence},"s":"${mac}","t":"2026","v":1}`;
}

async function lives(t: Parameters<typeof Rig.start>[0], allowReset: boolean, firstEpoch: number) {
  const old = await Rig.start(t, [entry(allowReset)]);
  const send = (rig: Rig, value: number, sequences: number[]) => {
    const link = rig.sdk.connect('sdk:192.0.2.9');
    link.handler!.data(Buffer.from(sequences.map(q => `${frame(q, value)}\n`).join('')));
    return rig.synced();
  };
  await send(old, 20, [1, 2, 3]);
  await old.intake.stop();
  await old.journal.close();
  const restored = await Rig.start(t, [entry(allowReset)], { firstSdkEpoch: firstEpoch }, old.directory);
  return { restored, send: (value: number, ...sequences: number[]) => send(restored, value, sequences) };
}

test('where the sequence may fall back, the next reading begins an epoch that no other gateway has given', async t => {
  const first = firstSdkEpoch(1, 'gw-new', nodeDigest);
  const { restored, send } = await lives(t, true, first);
  await send(20, 3); // the last one before the backup, again
  t.deepEqual(restored.story(), []);
  await send(20, 7, 8);
  t.deepEqual(restored.story(), [`gap ${first}/1..${first}/7`, `${first}/7`, `${first}/8`]);
  await send(21, 1);
  t.is(restored.story().at(-1), `${first + 1}/1`);
});

test('a sequence that falls back at once begins that epoch too', async t => {
  const first = firstSdkEpoch(2, 'gw-new', nodeDigest);
  const { restored, send } = await lives(t, true, first);
  await send(21, 1, 2);
  t.deepEqual(restored.story(), [`${first}/1`, `${first}/2`]);
});

test('where it must not, the epoch goes on', async t => {
  const { restored, send } = await lives(t, false, firstSdkEpoch(1, 'gw-new', nodeDigest));
  await send(20, 2);
  t.deepEqual(restored.story(), []);
  await send(20, 7);
  t.deepEqual(restored.story(), ['gap 1/4..1/7', '1/7']);
});

test('a gateway that was never restored gives epochs from 1 on; eras and names keep the others apart', t => {
  t.is(firstSdkEpoch(0, 'gw', nodeDigest), 0);
  const firsts = [1, 2, 255].flatMap(era =>
    ['gw-1', 'gw-2'].map(name => firstSdkEpoch(era, name, nodeDigest)),
  );
  t.is(new Set(firsts).size, firsts.length);
  for (const [i, first] of firsts.entries()) {
    const era = [1, 2, 255][i >> 1];
    t.true(first >= era * 2 ** 32 && first < (era + 0.5) * 2 ** 32, `${first}`);
  }
});
