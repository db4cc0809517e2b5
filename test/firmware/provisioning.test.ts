import test from 'ava';
import { nobleDigest } from '../../boards/virtual/digest.js';
import { PowerCut, VirtualFlash } from '../../boards/virtual/flash.js';
import { Provisioning } from '../../firmware/provisioning.js';
import {
  type BoardAnswer,
  decodeBoard,
  decodeProvisioned,
  encodeProvision,
  FrameDecoder,
  FrameEncoder,
  keyCheck,
  type Provision,
  type Provisioned,
  ProvisioningType,
} from '../../firmware/seal/index.js';
import { KEY_STORE_SECTORS, KeyStore } from '../../firmware/store/key-store.js';
import { SETTINGS_SECTORS, SettingsStore } from '../../firmware/store/settings.js';

const bytes = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff);
const provision = (from = 1): Provision => ({
  id: bytes(8, from),
  chain: bytes(32, from + 50),
  down: bytes(32, from + 100),
  settings: {
    name: `probe-${from}`,
    ssid: 'barn',
    wifiPassword: 'long enough',
    gatewayHost: 'gw',
    gatewayPort: 7683,
  },
});

/** Small sectors, so that every byte of an erase can be a test of its own. */
const newFlash = () =>
  new VirtualFlash({ sectors: KEY_STORE_SECTORS + SETTINGS_SECTORS, sectorBytes: 1536, programBytes: 256 });

/** What the board does from one power-on to the next. */
function powerOn(flash: VirtualFlash, button = false, forget?: () => string) {
  const answers: { board?: BoardAnswer | undefined; provisioned?: Provisioned | undefined }[] = [];
  const decoder = new FrameDecoder((type, buffer, from, to) => {
    if (type === ProvisioningType.board) answers.push({ board: decodeBoard(buffer, from, to) });
    else answers.push({ provisioned: decodeProvisioned(buffer, from, to) });
  });
  const keys = new KeyStore(flash);
  const settings = new SettingsStore(flash, KEY_STORE_SECTORS);
  const wire = {
    send: (buffer: Uint8Array, from: number, to: number) => {
      decoder.push(buffer, from, to);
      return true;
    },
  };
  const board = new Provisioning(
    { digest: nobleDigest, wire, keys, settings, ...(forget && { forget }) },
    { board: 'virtual', firmware: 'sovereign-virtual 1', button },
  );
  const encoder = new FrameEncoder();
  const say = (type: number, body: Uint8Array) => {
    const length = encoder.encode(type, body);
    board.receive(encoder.buffer, 0, length);
    return answers.pop();
  };
  return {
    board,
    keys,
    settings,
    who: () => say(ProvisioningType.who, new Uint8Array(0))?.board,
    provision: (what: Provision) => say(ProvisioningType.provision, encodeProvision(what))?.provisioned,
    say,
  };
}

test('an empty board takes keys once, says that it has read them back, and takes none after', t => {
  const flash = newFlash();
  const first = powerOn(flash);
  t.deepEqual(first.who(), {
    board: 'virtual',
    firmware: 'sovereign-virtual 1',
    state: 'unprovisioned',
    open: true,
  });
  const { id, chain, down, settings } = provision();
  const check = keyCheck(nobleDigest, id, chain, down);
  t.deepEqual(first.provision(provision()), { ok: true, id, check });
  t.true(first.board.done);
  t.deepEqual(first.provision(provision()), { ok: true, id, check }, 'the same again: its answer was lost');
  t.like(first.provision(provision(2)), { ok: false });
  t.like(first.who(), { state: 'provisioned', open: false, id });

  const second = powerOn(flash);
  t.like(second.who(), { state: 'provisioned', open: false, id });
  t.deepEqual(second.provision(provision(2)), { ok: false, reason: 'provisioned already' });
  t.deepEqual(second.provision(provision()), { ok: false, reason: 'provisioned already' });
  t.deepEqual(second.settings.load(), settings);
  t.is(second.keys.load(), 'ready');
  t.deepEqual(
    [second.keys.identity.id, second.keys.identity.down, second.keys.slots.chain],
    [id, down, chain],
  );
});

test('lost keys are a fault that takes no keys; the button opens the board, and the old identity stays until new keys come', t => {
  const flash = newFlash();
  powerOn(flash).provision(provision());
  const before = flash.image.slice();
  for (const [sector, state] of [
    [0, 'slots-lost'],
    [2, 'identity-lost'],
  ] as const) {
    flash.image.set(before);
    flash.image.fill(0, 1536 * sector, 1536 * sector + 20);
    const board = powerOn(flash);
    t.is(board.keys.load(), state);
    t.like(board.who(), { state: 'fault', open: false });
    t.deepEqual(board.provision(provision(2)), { ok: false, reason: 'fault already' });
    const opened = powerOn(flash, true);
    t.like(opened.who(), { state: 'fault', open: true });
    t.like(opened.provision(provision(2)), { ok: true });
    t.is(opened.keys.load(), 'ready');
  }
  flash.image.set(before);
  t.like(powerOn(flash, true).who(), { state: 'provisioned', open: true, id: provision().id });
  t.deepEqual(flash.image, before, 'the button alone changes nothing');

  const forgotten: string[] = [];
  const refusing = powerOn(flash, true, () => 'backlog: flash erase failed');
  t.deepEqual(refusing.provision(provision(2)), { ok: false, reason: 'backlog: flash erase failed' });
  t.deepEqual(flash.image, before);
  const anew = powerOn(flash, true, () => {
    forgotten.push(powerOn(flash).keys.load());
    return '';
  });
  t.like(anew.provision(provision(2)), { ok: true, id: provision(2).id });
  t.deepEqual(forgotten, ['ready'], 'while the old identity is still there');
  t.is(anew.settings.load()?.name, 'probe-2');
});

test('a power cut at every step of the flash: all or nothing, never a fault', t => {
  const whole = newFlash();
  powerOn(whole).provision(provision());
  let taken = 0;
  for (let cut = 0; cut < whole.steps; cut++) {
    const flash = newFlash();
    flash.cutAfter(cut, cut);
    t.throws(() => powerOn(flash).provision(provision()), { instanceOf: PowerCut });
    const again = powerOn(flash);
    const who = again.who();
    if (who?.state === 'unprovisioned') {
      const answer = again.provision(provision(2));
      if (answer?.ok !== true) t.fail(`cut at ${cut}: ${JSON.stringify(answer)}`);
    } else {
      taken++;
      t.like(who, { state: 'provisioned', id: provision().id }, `cut at ${cut}`);
      t.deepEqual(again.settings.load(), provision().settings);
    }
    if (powerOn(flash).keys.load() !== 'ready') t.fail(`cut at ${cut}`);
  }
  t.true(taken > 0 && taken < whole.steps / 2);
});

test('a power cut while the button gives a board another identity: the button helps again', t => {
  const done = newFlash();
  powerOn(done).provision(provision());
  const whole = new VirtualFlash({
    sectors: 5,
    sectorBytes: 1536,
    programBytes: 256,
    image: done.image.slice(),
  });
  powerOn(whole, true).provision(provision(2));
  for (let cut = 0; cut < whole.steps; cut += 7) {
    const flash = new VirtualFlash({
      sectors: 5,
      sectorBytes: 1536,
      programBytes: 256,
      image: done.image.slice(),
    });
    flash.cutAfter(cut, cut);
    t.throws(() => powerOn(flash, true).provision(provision(2)), { instanceOf: PowerCut });
    const { state } = powerOn(flash).board;
    if (state === 'provisioned') {
      const held = powerOn(flash).who()?.id;
      t.true([1, 2].some(from => held?.[0] === from));
    }
    t.like(powerOn(flash, true).provision(provision(3)), { ok: true, id: provision(3).id }, `cut at ${cut}`);
    t.is(powerOn(flash).keys.load(), 'ready');
  }
});

test('a flash that fails is named, and the board stays open', t => {
  const whole = newFlash();
  powerOn(whole).provision(provision());
  for (let at = 0; at < whole.steps; at += 97) {
    const flash = newFlash();
    flash.failAfter(at);
    const board = powerOn(flash);
    const answer = board.provision(provision());
    if (answer?.ok !== false) {
      t.like(answer, { ok: true });
      continue;
    }
    t.regex(answer.reason, /flash|unreadable/);
    t.false(board.board.done);
    t.true(board.board.open || board.keys.load() !== 'unprovisioned');
  }
});

test('what is no provision gives a reason and changes nothing', t => {
  const flash = newFlash();
  const board = powerOn(flash);
  const good = encodeProvision(provision());
  const before = flash.image.slice();
  for (const body of [new Uint8Array(0), good.subarray(1), good.subarray(0, -1), Uint8Array.of(0x81, 0x01)])
    t.like(board.say(ProvisioningType.provision, body)?.provisioned, { ok: false });
  t.is(board.say(ProvisioningType.who, Uint8Array.of(1)), undefined);
  t.is(board.say(4, good), undefined);
  t.deepEqual(flash.image, before);
});
