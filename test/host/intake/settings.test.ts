import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  Kind,
  label,
  MessageWriter,
  type NamedSourceSettings,
  readSourceSettings,
} from '../../../firmware/seal/index.js';
import { MAX_SETTINGS_BYTES } from '../../../host/config/devices.js';
import { SettingsBook } from '../../../host/intake/settings.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { silentLog } from '../../../host/node/log.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Storage } from '../../../host/ports.js';
import { identity, Rig, temporary } from './rig.js';

const VERSION = label('config-version');
const REFUSED = label('config-refused');
const slow: NamedSourceSettings[] = [{ name: 'temperature', periodMs: 60_000, threshold: 0.5 }];
const fast: NamedSourceSettings[] = [{ name: 'temperature', periodMs: 100 }];

const open = (
  directory: string,
  wanted: Record<string, NamedSourceSettings[]>,
  storage: Storage = new NodeStorage(),
) =>
  SettingsBook.open(
    { storage, digest: nodeDigest, log: silentLog },
    directory,
    new Map(Object.entries(wanted)),
  );

test('versions rise with the content, stay with it, and survive a restart; ids go before names', async t => {
  const directory = temporary(t);
  const id = identity(1).idText;
  let book = await open(directory, { probe: slow });
  t.is(await book.due(identity(2).idText, 'other', 0), undefined);
  const first = (await book.due(id, 'probe', 0))!;
  t.is(first.version, 1);
  t.deepEqual(readSourceSettings(first.bytes, 0, first.bytes.length), slow);
  t.is(await book.due(id, 'probe', 1), undefined, 'it has them');
  t.is((await book.due(id, 'probe', 0))?.version, 1, 'it started anew');
  book = await open(directory, { probe: slow });
  t.is(await book.due(id, 'probe', 1), undefined);
  book = await open(directory, { probe: slow, [id]: fast });
  t.is((await book.due(id, 'probe', 1))?.version, 2);
  t.is((await (await open(directory, { probe: slow })).due(id, 'probe', 2))?.version, 3, 'back is forward');
  const gone = (await (await open(directory, {})).due(id, 'probe', 3))!;
  t.is(gone.version, 4);
  t.deepEqual(readSourceSettings(gone.bytes, 0, gone.bytes.length), [], 'the device gets its own back');
  t.is(await (await open(directory, {})).due(id, 'probe', 0), undefined);
});

test('a lost or damaged file: the device says from where to go on', async t => {
  const directory = temporary(t);
  const id = identity(1).idText;
  const book = await open(directory, { probe: slow });
  t.is((await book.due(id, 'probe', 7))?.version, 8);
  const path = join(directory, 'device-settings.json');
  for (const text of [
    '',
    '{',
    '{"format":2}',
    '{"format":1,"devices":{"x":{"version":1}}}',
    readFileSync(path, 'utf8').slice(9),
  ]) {
    writeFileSync(path, text);
    t.is((await (await open(directory, { probe: slow })).due(id, 'probe', 8))?.version, 9, text);
  }
  const same = await open(directory, { probe: slow });
  t.is((await same.due(id, 'probe', 20))?.version, 21, 'of a gateway that was restored from an old copy');
});

test('what is not durable is not sent', async t => {
  const directory = temporary(t);
  const id = identity(1).idText;
  const storage = new NodeStorage();
  let full = true;
  const failing: Storage = Object.create(storage, {
    rename: {
      value: (from: string, to: string) =>
        full ? Promise.reject(new Error('ENOSPC')) : storage.rename(from, to),
    },
  });
  const book = await open(directory, { probe: slow }, failing);
  t.is(await book.due(id, 'probe', 0), undefined);
  t.is(book.version(id), undefined);
  full = false;
  t.is((await book.due(id, 'probe', 0))?.version, 1);
});

test('the most settings that the configuration allows fit a message', t => {
  const nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  const mac = nodeDigest.hmac(new Uint8Array(32));
  const bytes = new Uint8Array(MAX_SETTINGS_BYTES);
  const most = Number.MAX_SAFE_INTEGER;
  t.true(new MessageWriter().config(mac, new Uint8Array(8), nonces, most, most, bytes) > 0);
});

test('a session: settings after the hello, again when a heartbeat does not show them, and the status', async t => {
  const device = identity();
  const directory = temporary(t);
  const rig = await Rig.start(t, [device.entry()], {
    settingsDirectory: directory,
    devices: new Map([[device.idText, slow]]),
  });
  const { peer } = rig.connect(device);
  device.startEpoch(0);
  peer.hello({ configVersion: 0 });
  await rig.quiet(() => peer.of(5).length === 1);
  const [sent] = peer.of(5);
  t.true(sent.authentic);
  t.is(sent.version, 1);
  t.deepEqual(readSourceSettings(sent.settings!, 0, sent.settings!.length), slow);
  t.deepEqual(rig.device(device).settings, { version: 1, supported: true, acknowledged: 0 });

  rig.clock.advance(31_000);
  peer.reading(device.seal(0, Kind.heartbeat, VERSION));
  await rig.quiet(() => peer.of(5).length === 2);
  peer.reading(device.seal(0, Kind.heartbeat, VERSION));
  peer.reading(device.seal(1, 0, VERSION));
  await rig.synced();
  t.is(peer.of(5).length, 2, 'not more often than that');
  t.is(rig.device(device).settings?.acknowledged, 0, 'a sensor that is called so says nothing');
  peer.reading(device.seal(1, Kind.heartbeat, VERSION));
  await rig.synced();
  t.deepEqual(rig.device(device).settings, { version: 1, supported: true, acknowledged: 1 });

  rig.clock.advance(31_000);
  peer.reading(device.seal(1, Kind.heartbeat, REFUSED));
  await rig.synced();
  t.is(peer.of(5).length, 2, 'what it refused is not sent again');

  rig.clock.advance(1_000);
  peer.knock();
  peer.hello({ configVersion: 1 });
  await rig.synced();
  t.is(peer.of(5).length, 2, 'it has them');
});

test('a device that takes no settings is left alone, and the status says so', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()], {
    settingsDirectory: temporary(t),
    devices: new Map([[device.entry().name, slow]]),
  });
  const { peer } = rig.connect(device);
  device.startEpoch(0);
  peer.hello();
  peer.reading(device.seal(0, Kind.heartbeat, VERSION));
  await rig.synced();
  t.is(peer.of(5).length, 0);
  t.is(rig.device(device).settings, undefined, 'no version was ever made');
});

test('a device that claims the last version there is gets none, and costs the gateway nothing', async t => {
  const device = identity();
  const directory = temporary(t);
  const rig = await Rig.start(t, [device.entry()], {
    settingsDirectory: directory,
    devices: new Map([[device.idText, slow]]),
  });
  const { peer } = rig.connect(device);
  device.startEpoch(0);
  peer.hello({ configVersion: Number.MAX_SAFE_INTEGER });
  await rig.quiet(() => rig.events('settings-versions-used-up').length === 1);
  t.is(peer.of(5).length, 0);
  peer.reading(device.seal(0.5, Kind.heartbeat, VERSION));
  await rig.synced();
  t.is(rig.durable.length, 1);
  const other = await open(directory, { other: slow });
  t.is((await other.due(identity(2).idText, 'other', 0))?.version, 1, 'the file is as it was');
});
