import test from 'ava';
import { PowerCut, VirtualFlash } from '../../boards/virtual/flash.js';
import {
  type BoardSettings,
  decodeSettings,
  encodeProvision,
  encodeSettings,
  encodeValue,
  MAX_PROVISIONING_BYTES,
} from '../../firmware/seal/index.js';
import { SettingsStore } from '../../firmware/store/settings.js';

const flashOf = (image?: Uint8Array) =>
  new VirtualFlash({ sectors: 3, sectorBytes: 1536, programBytes: 256, ...(image && { image }) });
const one: BoardSettings = { name: 'one', ssid: 'barn', wifiPassword: 'first secret' };
const two: BoardSettings = {
  name: 'two',
  mqttHost: 'broker',
  mqttPort: 1883,
  mqttUser: 'u',
  mqttPassword: 'p',
};

test('settings come back as they were; what was replaced is gone from the flash', t => {
  const flash = flashOf();
  const store = new SettingsStore(flash, 1);
  t.is(store.load(), undefined);
  t.is(store.save(one), '');
  t.deepEqual(new SettingsStore(flash, 1).load(), one);
  t.is(store.save(two), '');
  t.deepEqual(new SettingsStore(flash, 1).load(), two);
  t.false(Buffer.from(flash.image).includes('first secret'));
  t.true(
    flash.image.subarray(0, 1536).every(byte => byte === 0xff),
    'the sector before is not touched',
  );
  t.is(store.erase(), '');
  t.is(new SettingsStore(flash, 1).load(), undefined);
});

test('a power cut at every step of an update leaves the old settings or the new ones', t => {
  const first = flashOf();
  new SettingsStore(first, 1).save(one);
  const whole = flashOf(first.image.slice());
  new SettingsStore(whole, 1).save(two);
  const seen = new Set<string>();
  for (let cut = 0; cut < whole.steps; cut++) {
    const flash = flashOf(first.image.slice());
    flash.cutAfter(cut, cut);
    t.throws(() => new SettingsStore(flash, 1).save(two), { instanceOf: PowerCut });
    const store = new SettingsStore(flash, 1);
    const found = store.load();
    if (found?.name !== 'one' && found?.name !== 'two') t.fail(`cut at ${cut}`);
    seen.add(String(found?.name));
    if (store.save(one) !== '' || new SettingsStore(flash, 1).load()?.name !== 'one')
      t.fail(`cut at ${cut}, then`);
  }
  t.deepEqual([...seen], ['one', 'two']);
});

test('rot is noticed', t => {
  const flash = flashOf();
  const store = new SettingsStore(flash, 1);
  store.save(one);
  for (let at = 1536; at < 1536 + 40; at++) {
    flash.image[at] ^= 4;
    t.is(new SettingsStore(flash, 1).load(), undefined, String(at));
    flash.image[at] ^= 4;
  }
});

test('bounds: what does not fit is named without its value', t => {
  t.is(encodeSettings({ name: '' }), 'name: expected 1 to 256 bytes');
  t.is(encodeSettings({ name: 'x', ssid: 'é'.repeat(17) }), 'ssid: expected 1 to 32 bytes');
  t.is(
    encodeSettings({ name: 'x', ssid: 'a', wifiPassword: 'hunter2' }),
    'wifiPassword: expected 8 to 64 bytes',
  );
  t.is(encodeSettings({ name: 'x', wifiPassword: 'hunter22' }), 'wifiPassword: needs ssid');
  t.is(encodeSettings({ name: 'x', gatewayHost: 'a' }), 'gatewayHost and gatewayPort go together');
  t.is(
    encodeSettings({ name: 'x', mqttHost: 'a', mqttPort: 0 }),
    'mqttPort: expected a whole number from 1 to 65535',
  );
  t.is(
    decodeSettings(
      encodeValue(
        new Map<number, string | number>([
          [0, 'x'],
          [9, 1],
        ]),
      ),
    ),
    'settings: key 9 is unknown',
  );
  t.is(decodeSettings(encodeValue([1])), 'settings: no map');
  t.regex(String(decodeSettings(Uint8Array.of(0xff))), /^settings: /);
  const settings: BoardSettings = {
    name: 'n'.repeat(256),
    ssid: 's'.repeat(32),
    wifiPassword: 'w'.repeat(64),
    gatewayHost: 'g'.repeat(253),
    gatewayPort: 65535,
    mqttHost: 'm'.repeat(253),
    mqttPort: 65535,
    mqttUser: 'u'.repeat(128),
    mqttPassword: 'p'.repeat(128),
  };
  const key = new Uint8Array(32);
  const whole = encodeProvision({ id: new Uint8Array(8), chain: key, down: key, settings });
  t.true(whole.length <= MAX_PROVISIONING_BYTES);
  const flash = flashOf();
  t.is(new SettingsStore(flash, 1).save(settings), '');
  t.deepEqual(new SettingsStore(flash, 1).load(), settings);
});
