import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkPanel } from '../../../host/cli/doctor/panel.js';
import { parseConfig } from '../../../host/config.js';
import { editKeyring } from '../../../host/keyring/edit.js';
import { Keyring } from '../../../host/keyring/file.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { systemRandom } from '../../../host/node/random.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { enrolOwn } from '../../../host/panel/enrol.js';
import { OwnKeys } from '../../../host/panel/own-keys.js';
import { temporary } from './commands.js';

function setUp(t: ExecutionContext, panel: string) {
  const directory = temporary(t);
  writeFileSync(join(directory, 'keyring.yaml'), new Keyring([]).render(), { mode: 0o600 });
  const config = parseConfig(`site: a\ngateway: gw-1\n${panel}\n`, join(directory, 'config.yaml'));
  const root = join(directory, 'gpio');
  const chip = (base: number, label: string) => {
    mkdirSync(join(root, `gpiochip${base}`), { recursive: true });
    for (const [file, text] of Object.entries({ base, ngpio: 54, label }))
      writeFileSync(join(root, `gpiochip${base}`, file), `${text}`);
    writeFileSync(join(root, 'export'), '');
  };
  return { config, directory, root, chip, check: () => checkPanel(config, undefined, root) };
}

const BOTH = 'panel: { led: { gpio: 17 }, enclosure: { gpio: 27 } }';

test('no panel, nothing to look at', async t => {
  t.deepEqual(await setUp(t, '').check(), []);
});

test('a machine without GPIO, without a known chip, with too few lines', async t => {
  const none = await setUp(t, BOTH).check();
  t.deepEqual(
    none.map(({ state }) => state),
    ['wrong', 'wrong'],
  );
  t.regex(none[0]!.text, /^panel.led: this machine has no GPIO lines/);
  const unknown = setUp(t, BOTH);
  unknown.chip(0, 'a');
  unknown.chip(100, 'b');
  t.regex((await unknown.check())[0]!.remedy!, /panel.chip/);
  const short = setUp(t, 'panel: { led: { gpio: 60 } }');
  short.chip(571, 'pinctrl-rp1');
  t.regex((await short.check())[0]!.text, /lines 0 to 53/);
});

test('all is there; and an identity that nobody could verify', async t => {
  const { config, directory, chip, check } = setUp(t, BOTH);
  chip(571, 'pinctrl-rp1');
  t.deepEqual(
    (await check()).map(({ text }) => text),
    [
      'panel.led: GPIO 17 is 588 for the kernel',
      'panel.enclosure: GPIO 27 is 598 for the kernel',
      'panel: the gateway makes its identity at its first start',
    ],
  );
  const ports = { storage: new NodeStorage(), random: systemRandom, digest: nodeDigest };
  const keys = await OwnKeys.create(ports, join(directory, 'data', 'own-device'), () => false);
  t.like((await check())[2], { state: 'wrong', remedy: 'sovereign device own' });
  await enrolOwn(privateFiles, config.keyringFile, 'gw-1', {
    id: keys.id,
    ...(await keys.base()),
    down: keys.down,
  });
  t.like((await check())[2], { state: 'ok', text: 'panel: the gateway is gw-1 in the keyring' });
  await editKeyring(privateFiles, config.keyringFile, draft => draft.remove(keys.id));
  t.is((await check())[2]!.state, 'wrong');
});
