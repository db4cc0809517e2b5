/** What a backup costs, counted: the time that it takes follows from that, on whatever board. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { encrypt } from '../../../host/backup/age.js';
import { archiveOf } from '../../../host/backup/collect.js';
import { type GatewayPlace, placeObject } from '../../../host/backup/contents.js';
import { writeBackup } from '../../../host/backup/output.js';
import { parseConfig } from '../../../host/config.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { backupPorts } from '../../../host/node/backup-ports.js';
import { FaultyStorage } from '../journal/faulty-storage.js';
import { BACKUP_AT, keys, temporary } from './rig.js';

/** More than the page or a site of boards ever has. */
const DEVICES = 10_000;

test('without the journal: each file is read once, written once, and synced once, whatever the journal holds', async t => {
  const root = await temporary(t);
  await mkdir(join(root, 'data'));
  const id = (i: number) => (i + 1).toString(16).padStart(16, '0');
  const chain = new Uint8Array(32);
  const entries = Array.from({ length: DEVICES }, (_, i): KeyringEntry => {
    return { id: id(i), name: `d${i}`, epoch: 0, chain, down: chain };
  });
  const config = parseConfig('site: s\ngateway: g\n', join(root, 'config.yaml'));
  await writeFile(config.file, 'site: s\ngateway: g\n');
  await writeFile(config.keyringFile, new Keyring(entries).render());
  const segments = Array.from({ length: 250 }, (_, i) => 1 + i * 30_000);
  const position = { epoch: 3, seq: 1_000_000, tag8: id(7), final: false, readings: 1_000_000, gaps: 9 };
  const place: GatewayPlace = {
    positions: new Map(entries.map(({ id }) => [id, position])),
    nextOffset: 8_000_000,
    durableOffset: 8_000_000,
    segments,
    previous: { first: segments.at(-1)!, last: 7_999_999, bytes: 8_000_000 },
    cursors: { uplink: { offset: 7_999_990, ranges: [] } },
  };
  let files = 0;
  let opened = 0;
  let hashed = 0;
  const disk = new FaultyStorage();
  const ports = {
    storage: Object.assign(Object.create(backupPorts.storage), {
      open() {
        opened++;
        throw new Error('no segment is looked at');
      },
    }),
    readFile(path: string, maxBytes: number) {
      files++;
      return backupPorts.readFile(path, maxBytes);
    },
    hash() {
      const hash = backupPorts.hash();
      return {
        update(bytes: Uint8Array) {
          hashed += bytes.length;
          hash.update(bytes);
        },
        hex: () => hash.hex(),
      };
    },
  };
  const { lock } = await keys();
  const collected = { members: 0, bytes: 0, segments: 0, devices: 0 };
  const archive = archiveOf(ports, { config, place, version: '1', at: BACKUP_AT, journal: false }, collected);
  const effects: string[] = [];
  disk.upset = effect => void effects.push(effect);
  const bytes = await writeBackup(disk, '/to/b.age', await encrypt(archive, lock));
  t.is(opened, 0);
  t.is(files, 4, 'configuration, keyring, settings of devices, hand-over');
  t.is(hashed, collected.bytes);
  // Two hex keys and an id a device in the keyring, some numbers in the state.
  t.true(collected.bytes < DEVICES * 350, `${collected.bytes}`);
  t.true(bytes < collected.bytes * 1.01 + 8192, `${bytes}`);
  const count = (effect: string) => effects.filter(one => one === effect).length;
  t.true(count('write') <= Math.ceil(bytes / (256 * 1024)) + 1, `${count('write')}`);
  t.deepEqual([count('sync'), count('rename'), count('syncdir')], [1, 1, 1]);
  // What goes over the control socket, in one answer of at most 16 MiB.
  t.true(JSON.stringify(placeObject(place)).length < DEVICES * 80);
});
