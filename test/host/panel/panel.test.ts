import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { register as registerDevice } from '../../../host/cli/device.js';
import { register as registerVerify } from '../../../host/cli/verify.js';
import { parseConfig } from '../../../host/config.js';
import { Gateway } from '../../../host/gateway.js';
import { editKeyring } from '../../../host/keyring/edit.js';
import { Keyring } from '../../../host/keyring/file.js';
import { KeyringWatch } from '../../../host/keyring/watch.js';
import { systemClock } from '../../../host/node/clock.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { systemRandom } from '../../../host/node/random.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { UnixListener } from '../../../host/node/unix-socket.js';
import { enrolOwn } from '../../../host/panel/enrol.js';
import { runCommand, temporary } from '../cli/commands.js';
import { FakeBroker } from '../uplink/fake-broker.js';
import { TestLog, until } from '../uplink/support.js';
import { FakeInput, FakeLines } from './fake-lines.js';

class TestSite {
  readonly directory: string;
  readonly config: string;
  readonly keyringFile: string;
  readonly log = new TestLog();
  line = new FakeInput();
  lines = new FakeLines(this.line);
  /** The gateway may change its keyring. */
  mayEnrol = true;
  #gateway: Gateway | undefined;
  #keyring: KeyringWatch | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.config = join(directory, 'config.yaml');
    this.keyringFile = join(directory, 'keyring.yaml');
  }

  static async make(t: ExecutionContext): Promise<TestSite> {
    const site = new TestSite(temporary(t));
    await writeFile(
      site.config,
      'site: cellar\ngateway: gw-1\npanel:\n  led: { gpio: 17 }\n  enclosure: { gpio: 27, debounceMs: 5 }\n',
    );
    await writeFile(site.keyringFile, new Keyring([]).render(), { mode: 0o600 });
    t.teardown(() => site.stop());
    return site;
  }

  async start(): Promise<Gateway> {
    const config = parseConfig(await readFile(this.config, 'utf8'), this.config);
    await mkdir(config.dataDirectory, { recursive: true });
    const { log, lines } = this;
    const keyring = await KeyringWatch.open(
      { files: privateFiles, clock: systemClock, log },
      this.keyringFile,
    );
    this.#keyring = keyring;
    const ports = {
      storage: new NodeStorage(),
      clock: systemClock,
      random: systemRandom,
      log,
      digest: nodeDigest,
    };
    this.#gateway = await Gateway.start(
      config,
      {},
      { version: '1.0.0', runtime: 'test', pid: 1 },
      {
        ...ports,
        broker: new FakeBroker(),
        keyring,
        serial: [],
        control: new UnixListener(join(config.dataDirectory, 'control.sock')),
        panel: {
          lines,
          enrol: async entry => {
            if (!this.mayEnrol) throw new Error('EROFS');
            await enrolOwn(privateFiles, this.keyringFile, config.gateway, entry);
            await keyring.look();
          },
        },
      },
    );
    return this.#gateway;
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    this.#gateway = undefined;
    this.#keyring?.close();
  }

  /** So many readings have come in since the gateway began, and are durable. */
  async taken(readings: number): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const { counters, journal } = await this.#gateway!.status();
      const taken = (counters.next ?? 0) + (counters.gap ?? 0);
      if (taken >= readings && journal.pendingBytes === 0) return;
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    throw new Error(JSON.stringify((await this.#gateway!.status()).counters));
  }

  /** What `sovereign verify` says of every reading in the journal. */
  async verified(): Promise<
    { ok: boolean; epoch: number; seq: number; records: Record<string, unknown>[] }[]
  > {
    const journal = join(this.directory, 'data', 'journal');
    const segments = (await readdir(journal)).sort().map(name => join(journal, name));
    const { json } = await runCommand(registerVerify, [
      'verify',
      '--keyring',
      this.keyringFile,
      '--json',
      ...segments,
    ]);
    return json() as never;
  }

  async values(name: string): Promise<unknown[]> {
    const records = (await this.verified()).flatMap(reading => reading.records ?? []);
    return records.filter(record => record.n === name).map(({ v, vs, vb }) => v ?? vs ?? vb);
  }
}

test('transitions are sealed, verified, journalled and receipted like everybody’s, over restarts', async t => {
  const site = await TestSite.make(t);
  await site.start();
  await until(() => site.log.lines.includes('panel-enclosure'), 'its own device');
  await site.taken(2);
  site.line.set(true);
  await site.taken(3);
  site.line.set(false);
  await site.taken(4);
  t.deepEqual(await site.values('enclosure'), [false, true, false]);
  await site.stop();
  t.true(site.line.closed);
  t.is(site.lines.written.at(-1), false);
  t.true(site.lines.written.includes(true));

  site.line = new FakeInput();
  site.line.set(true);
  site.lines = new FakeLines(site.line);
  const gateway = await site.start();
  await site.taken(2);
  t.deepEqual(await site.values('enclosure'), [false, true, false, true]);
  t.deepEqual(await site.values('reason'), ['gateway-start', 'gateway-stop', 'gateway-start']);
  const { devices, links } = await gateway.status();
  t.like(devices[0], { name: 'gw-1', online: true, link: 'panel', gaps: 0, epoch: 1, seq: 1, readings: 7 });
  t.like(links[0], { name: 'panel' });
  await site.stop();
  const readings = await site.verified();
  t.deepEqual(
    readings.map(({ epoch, seq }) => `${epoch}/${seq}`),
    ['0/0', '0/1', '0/2', '0/3', '0/4', '1/0', '1/1', '1/2'],
  );
});

test('a gateway that is cut off leaves a gap that is told, and goes on in the next epoch', async t => {
  const site = await TestSite.make(t);
  await site.start();
  await until(() => site.log.lines.includes('panel-enclosure'), 'its own device');
  await site.taken(2);
  // As after a power cut: another one begins with what the disk holds, and never hears of the end of the first.
  const copy = await TestSite.make(t);
  await cp(join(site.directory, 'data', 'own-device'), join(copy.directory, 'data', 'own-device'), {
    recursive: true,
  });
  await cp(join(site.directory, 'data', 'journal'), join(copy.directory, 'data', 'journal'), {
    recursive: true,
  });
  await cp(site.keyringFile, copy.keyringFile);
  const gateway = await copy.start();
  await until(() => copy.log.lines.includes('panel-enclosure'), 'its own device');
  await copy.taken(2);
  t.like((await gateway.status()).devices[0], { epoch: 1, seq: 1, gaps: 1 });
});

test('where the gateway may not change its keyring, one line says what does, and it begins then', async t => {
  const site = await TestSite.make(t);
  site.mayEnrol = false;
  await site.start();
  t.deepEqual(
    site.log.lines.filter(line => line.startsWith('panel')),
    ['panel-not-in-keyring'],
  );
  site.line.set(true);
  const { out } = await runCommand(registerDevice, ['device', 'own', '--config', site.config]);
  t.regex(out, /in the keyring [0-9a-f]{16} gw-1/);
  await until(() => site.log.lines.includes('panel-enclosure'), 'its own device', 20_000);
  await site.taken(2);
  t.deepEqual(await site.values('enclosure'), [true]);
  const again = await runCommand(registerDevice, ['device', 'own', '--config', site.config, '--json']);
  t.like(again.json()[0], { name: 'gw-1' });
});

test('a gateway that was removed as a device stays one that is not heard, and says why', async t => {
  const site = await TestSite.make(t);
  await site.start();
  await until(() => site.log.lines.includes('panel-enclosure'), 'its own device');
  await site.stop();
  await editKeyring(privateFiles, site.keyringFile, draft => draft.remove([...draft.entries()][0]!.id));
  site.log.lines.length = 0;
  await site.start();
  t.deepEqual(
    site.log.lines.filter(line => line.startsWith('panel')),
    ['panel-not-in-keyring'],
  );
});

test('absent hardware is one line for each part, and the gateway runs', async t => {
  const site = await TestSite.make(t);
  site.lines = new FakeLines();
  const gateway = await site.start();
  t.deepEqual(
    site.log.lines.filter(line => line.startsWith('panel')),
    ['panel-absent', 'panel-absent'],
  );
  t.is((await gateway.status()).devices.length, 0);
});

test('a gateway that is no device says so', async t => {
  const site = await TestSite.make(t);
  const { fault } = await runCommand(registerDevice, ['device', 'own', '--config', site.config]);
  t.is(fault?.code, 'own-device-absent');
});
