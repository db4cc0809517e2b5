import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { editKeyring } from '../../../host/keyring/edit.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { Mosquitto } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';
import { freshSeed, prng } from '../../support/prng.js';
import { Program, run } from '../../support/program.js';
import { TestDevice } from '../uplink/support.js';
import { gateway, temporaryDirectory } from './support.js';

test('sovereign subscribe, killed again and again while readings come: none is missing', async t => {
  if (!needs(t, 'mosquitto')) return;
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  const broker = await Mosquitto.start(['max_queued_messages 0', 'set_tcp_nodelay true']);
  t.teardown(() => broker.stop());
  const directory = await temporaryDirectory(t);
  const made = await run(['init', '--dir', directory, '--site', 'cellar']);
  t.is(made.code, 0, made.errors);
  const device = new TestDevice(1);
  const config = join(directory, 'config.yaml');
  await writeFile(config, `site: cellar\ngateway: gw\nuplink: { broker: '${broker.url}' }\n`);
  await editKeyring(privateFiles, join(directory, 'keyring.yaml'), draft => {
    draft.add({ id: device.id, name: 'probe', epoch: 0, chain: device.chain });
  });
  const printed: number[] = [];
  const args = ['subscribe', '--config', config, '--id', 'me', '--json'];
  const start = (...more: string[]) =>
    new Program([...args, ...more], { line: line => void printed.push(JSON.parse(line).seq) });
  let program = start();
  await program.until(() => program.errors.includes('connected'), 'a connection');
  const publisher = await gateway(broker.url);
  const count = 3000;
  const publishing = (async () => {
    for (let i = 0; i < count; i += 10) {
      await publisher.sealed(device, ...Array.from({ length: 10 }, (_, k) => device.seal(i + k)));
    }
  })();
  for (let kill = 0; kill < 4; kill++) {
    const before = printed.length;
    await program.until(
      () => printed.length > before + random() * 300 || new Set(printed).size === count,
      'readings',
    );
    await program.end('SIGKILL');
    program = start();
  }
  await publishing;
  await program.until(() => new Set(printed).size === count, 'all readings');
  const repeated = printed.length - new Set(printed).size;
  t.log(`${repeated} repeated`);
  t.deepEqual(
    [...new Set(printed)].sort((a, b) => a - b),
    Array.from({ length: count }, (_, i) => i),
  );
  // Only what was printed in a batch that was not durable yet may repeat.
  t.true(repeated <= 4 * 1000, String(repeated));
  // And what has been printed and made durable does not come again.
  program.kill('SIGTERM');
  t.is((await program.exited).code, 0);
  const seen = printed.length;
  const last = start('--readings', '1');
  await publisher.sealed(device, device.seal(1));
  t.is((await last.exited).code, 0, last.errors);
  t.deepEqual(printed.slice(seen), [count]);
  await publisher.session.end();
});
