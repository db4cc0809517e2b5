import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { decodeHops, readHandover } from '../../../host/backup/handover.js';
import { walk } from '../../../host/journal/check.js';
import { Cursor } from '../../../host/journal/cursor.js';
import { ERA_OFFSETS } from '../../../host/journal/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { backupPorts } from '../../../host/node/backup-ports.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { DEVICES, key, readAll, reading, silent, store } from '../journal/world.js';
import {
  BACKUP_AT,
  clock,
  journalOf,
  oldGateway,
  open,
  prepare,
  REMOVED,
  restoreInto,
  take,
  temporary,
  textOf,
} from './rig.js';

const { storage } = backupPorts;

test('what was accepted before the backup stands in the new journal, and nothing else', async t => {
  const old = await oldGateway(t);
  const taken = await take(old, old.place());
  // After the backup.
  await store(old.journal, reading(DEVICES[0], 5, 30), reading(DEVICES[2], 0, 0));
  const root = await temporary(t);
  await prepare(root);
  const restored = await restoreInto(root, taken);
  t.like(restored, { from: 'gw-old', backupAt: BACKUP_AT, devices: 2, segments: 0, offset: ERA_OFFSETS });

  const journal = await journalOf(join(root, 'new/var'));
  t.teardown(() => journal.close());
  t.deepEqual(
    [...journal.positions].map(([device, { epoch, seq, tag8 }]) => [device, epoch, seq, tag8]),
    [
      [DEVICES[0], 5, 29, reading(DEVICES[0], 5, 29).tag8],
      [DEVICES[1], 2, 29, reading(DEVICES[1], 2, 29).tag8],
    ],
  );
  t.deepEqual((await readAll(journal)).map(key), ['gw-old > gw-new']);
  const cursor = await Cursor.open(storage, join(root, 'new/var/cursors'), 'uplink');
  t.is(cursor.offset, ERA_OFFSETS, 'nothing older is there to be published');
  await cursor.close();
});

test('with the journal, everything up to the backup is there, and publishing goes on where it stood', async t => {
  const old = await oldGateway(t);
  const place = old.place();
  const taken = await take(old, place, { journal: true });
  const root = await temporary(t);
  await prepare(root);
  const restored = await restoreInto(root, taken);
  t.is(restored.segments, place.segments.length);
  t.true(restored.segments > 3);
  const data = join(root, 'new/var');
  const cursor = await Cursor.open(storage, join(data, 'cursors'), 'uplink');
  t.is(cursor.offset, old.cursor.offset);
  await cursor.close();
  const journal = await journalOf(data);
  const expected = (await readAll(old.journal)).map(key);
  t.deepEqual((await readAll(journal)).map(key), [...expected, 'gw-old > gw-new']);
  await store(journal, reading(DEVICES[0], 5, 30));
  await journal.close();
  const summary = await walk(storage, join(data, 'journal'), 0, {});
  t.like(summary, { readings: 61, handovers: 1, damages: 0, losses: 0, unknowns: 0 });
});

test('a backup taken while readings come in and segments go holds what was durable at its instant', async t => {
  const old = await oldGateway(t);
  const place = old.place();
  const before = (await readAll(old.journal)).map(key);
  const first = place.segments[0];
  let seq = 30;
  // Between any two steps of the collecting.
  const busy = {
    ...backupPorts,
    storage: Object.assign(Object.create(storage), {
      async open(path: string, mode: 'read') {
        await store(old.journal, reading(DEVICES[0], 5, seq++), reading(DEVICES[1], 2, seq));
        if (seq === 32)
          await storage.remove(
            `${old.config.dataDirectory}/journal/${String(first).padStart(20, '0')}.jsonl`,
          );
        return storage.open(path, mode);
      },
    }),
  };
  const taken = await take(old, place, { journal: true, ports: busy });
  t.is(taken.collected.segments, place.segments.length - 1, 'the oldest had gone');
  const root = await temporary(t);
  await prepare(root);
  await restoreInto(root, taken);
  const journal = await journalOf(join(root, 'new/var'));
  const after = (await readAll(journal)).map(key);
  await journal.close();
  t.is(after.at(-1), 'gw-old > gw-new');
  t.deepEqual(after.slice(0, -1), before.slice(before.length - after.length + 1));
  t.true(after.length > 40);
});

test('files go where the configuration finds them, readable by their owner alone', async t => {
  const old = await oldGateway(t);
  const root = await temporary(t);
  await prepare(root);
  const { config } = await restoreInto(root, await take(old, old.place()));
  const etc = join(root, 'new/etc');
  t.is(
    await textOf(etc, 'config.yaml'),
    (await textOf(old.config.file))
      .replace('gw-old', 'gw-new')
      .replace(old.config.dataDirectory, join(root, 'new/var'))
      .replace(`${old.root}/etc/credentials/ca.pem`, 'credentials/ca.pem')
      .replace('../tls/client.pem', 'credentials/client.pem')
      .replace(`${old.root}/tls/client.key`, 'credentials/client.key'),
  );
  const { uplink } = config;
  for (const [path, content] of [
    [uplink!.passwordFile!, 'secret\n'],
    [uplink!.ca!, 'CA'],
    [uplink!.cert!, 'CERT'],
    [uplink!.key!, 'KEY'],
  ]) {
    t.is(await textOf(path!), content);
    t.is((await stat(path!)).mode & 0o777, 0o600);
  }
  t.is((await stat(config.file)).mode & 0o777, 0o600);
  const keyring = await Keyring.load(config.keyringFile, privateFiles);
  t.is(keyring.size, DEVICES.length);
  t.true(keyring.removed.has(REMOVED), 'a removed id stays removed');
  t.is(await textOf(root, 'new/var/device-settings.json'), '{"format":1,"devices":{}}\n');
  t.deepEqual(await readdir(join(root, 'new/var/evidence')), ['00000000000000aa-5-3-0102030405060708.json']);
  t.deepEqual((await readdir(join(root, 'new/var'))).sort(), [
    'cursors',
    'device-settings.json',
    'evidence',
    'handover.json',
    'journal',
  ]);
});

test('restored again, it knows both before it, and takes the name of neither', async t => {
  const old = await oldGateway(t);
  const root = await temporary(t);
  await prepare(root);
  const { config } = await restoreInto(root, await take(old, old.place()));
  const journal = await journalOf(config.dataDirectory);
  const place = { ...journal.checkpoint(), cursors: {} };
  await journal.close();
  const again = await take({ config }, place);
  const second = await temporary(t);
  await prepare(second);
  for (const gateway of ['gw-old', 'gw-new'])
    await t.throwsAsync(restoreInto(second, again, { gateway, replace: true }), { code: 'gateway-replaced' });
  const last = await restoreInto(second, again, { gateway: 'gw-third', replace: true });
  t.is(last.offset, 2 * ERA_OFFSETS);
  const data = join(second, 'new/var');
  const hops = decodeHops(Buffer.from(await textOf(data, 'handover.json')));
  t.deepEqual(
    hops.map(({ from, to }) => [from, to]),
    [
      ['gw-old', 'gw-new'],
      ['gw-new', 'gw-third'],
    ],
  );
  const read = (gateway: string) => readHandover(storage, data, gateway, t.fail);
  t.deepEqual((await read('gw-third'))?.status.replaces, ['gw-new', 'gw-old']);
  // A configuration from elsewhere that has the old name again.
  await t.throwsAsync(read('gw-old'), { code: 'gateway-replaced', message: /goes on as gw-third/ });
});

test('a list of replaced gateways that the medium has destroyed costs those before, and not the restore (simulation, seed 10031347)', async t => {
  const old = await oldGateway(t);
  await writeFile(join(old.config.dataDirectory, 'handover.json'), '{"handover":1,"hops":[{"fr');
  const root = await temporary(t);
  await prepare(root);
  const warned: unknown[] = [];
  const log = { ...silent, warn: (event: string) => void warned.push(event) };
  const restored = await restoreInto(root, await take(old, old.place()), { log });
  t.is(restored.from, 'gw-old');
  t.deepEqual(warned, ['handover-unreadable']);
  const handover = await readHandover(storage, join(root, 'new/var'), 'gw-new', () => {});
  t.deepEqual(handover?.status.replaces, ['gw-old']);
});

test('a gateway that is there is never overwritten: refused, or moved aside as a whole', async t => {
  const old = await oldGateway(t);
  const taken = await take(old, old.place());
  const root = await temporary(t);
  await prepare(root);
  await writeFile(join(root, 'new/etc/config.yaml'), 'mine');
  const fault = await t.throwsAsync(restoreInto(root, taken), { code: 'restore-in-the-way' });
  t.regex(fault!.message, /new\/etc\/config\.yaml/);
  t.deepEqual(await readdir(join(root, 'new/var')), []);
  await restoreInto(root, taken, { replace: true });
  clock.time += 1000;
  const { aside } = await restoreInto(root, taken, { replace: true, gateway: 'gw-other' });
  t.true(aside.some(path => /var\/journal\.before-/.test(path)));
  const configs = (await readdir(join(root, 'new/etc'))).filter(name => name.startsWith('config.yaml'));
  t.is(configs.length, 3);
  const texts = await Promise.all(configs.map(name => textOf(root, 'new/etc', name)));
  t.deepEqual(texts.map(text => /^gateway: (\S+)/m.exec(text)?.[1]).sort(), [
    'gw-new',
    'gw-other',
    undefined,
  ]);
});

test('whatever fails on the way, no gateway starts on what is there, and the next try makes it whole', async t => {
  t.timeout(120_000);
  const old = await oldGateway(t);
  const taken = await take(old, old.place());
  const attempt = async (failing: number) => {
    const root = await temporary(t);
    await prepare(root);
    let steps = 0;
    const options = { storage: failingAt(failing, () => steps++) };
    const failed = await restoreInto(root, taken, options).then(
      () => false,
      () => true,
    );
    return { root, steps, failed };
  };
  const isWhole = async (root: string) => {
    const journal = await journalOf(join(root, 'new/var'));
    t.is(journal.positions.get(DEVICES[0])?.seq, 29);
    await journal.close();
  };
  const { steps } = await attempt(-1);
  t.true(steps > 40, `${steps}`);
  let failures = 0;
  for (let failing = 0; failing < steps; failing++) {
    const { root, failed } = await attempt(failing);
    const names = await readdir(join(root, 'new/etc'));
    t.is(names.includes('config.yaml'), !failed, `step ${failing}`);
    if (failed) failures++;
    // Some are borne: of the two files of a cursor one is enough, and a journal that is refused once tries again.
    if (failed && failing % 9 === 0) await restoreInto(root, taken, { replace: true });
    if (!failed || failing % 9 === 0) await isWhole(root);
  }
  t.log(`${failures} of ${steps} failures end it`);
  t.true(failures > steps / 2);
});

/** A storage of which one step fails, whatever it is. */
function failingAt(step: number, next: () => number): typeof storage {
  const refuse = () => {
    if (next() === step) throw Object.assign(new Error('injected'), { code: 'EIO' });
  };
  return new Proxy(storage, {
    get(target, name) {
      const own = Reflect.get(target, name);
      if (typeof own !== 'function') return own;
      return async (...args: unknown[]) => {
        refuse();
        const result = await own.apply(target, args);
        if (name !== 'open') return result;
        return new Proxy(result, {
          get(file, method) {
            const part = Reflect.get(file, method);
            return typeof part !== 'function'
              ? part
              : async (...given: unknown[]) => {
                  if (method !== 'close') refuse();
                  return part.apply(file, given);
                };
          },
        });
      };
    },
  });
}

test('verify says what is in it', async t => {
  const old = await oldGateway(t);
  const opened = await open(await take(old, old.place(), { journal: true, status: { version: 'x' } }));
  t.like(opened.manifest, { site: 'cellar', gateway: 'gw-old', at: BACKUP_AT, journal: true });
  t.is(opened.keyring.size, 3);
  t.is(opened.place.positions.size, 2);
  t.is(opened.evidence, 1);
  t.is(opened.files.size, 4);
});
