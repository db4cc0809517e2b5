/** What a board and a host say to each other over the cable. */
import {
  type BoardSettings,
  decodeBoard,
  decodeProvision,
  decodeProvisioned,
  decodeSettings,
  encodeBoard,
  encodeProvision,
  encodeProvisioned,
  encodeSettings,
  MAX_PROVISIONING_BYTES,
} from '../../firmware/seal/index.js';
import { alteredBytes } from './alter.js';
import { ensure, mutated, same, type Target } from './core.js';
import { CBOR_WORDS } from './mac0.js';
import { type Dice, words } from './mutate.js';

const WORDS = [
  ...CBOR_WORDS,
  ...words('unprovisioned', 'provisioned', 'fault', [0x85, 0x01], [0x86, 0x01], [0x83, 0x01], [0x82, 0x00]),
];

function settings(dice: Dice): BoardSettings {
  const word = (min: number) => `${'x'.repeat(min)}${dice.text(8)}`;
  const port = () => 1 + dice.below(65_535);
  const wifi = dice.oneIn(2);
  const mqtt = dice.oneIn(2);
  const user = mqtt && dice.oneIn(2);
  return {
    name: word(1),
    ...(wifi && { ssid: word(1) }),
    ...(wifi && dice.oneIn(2) && { wifiPassword: word(8) }),
    ...(dice.oneIn(2) && { gatewayHost: word(1), gatewayPort: port() }),
    ...(mqtt && { mqttHost: word(1), mqttPort: port() }),
    ...(user && { mqttUser: word(1) }),
    ...(user && dice.oneIn(2) && { mqttPassword: word(1) }),
  };
}

function small(bytes: Uint8Array): void {
  ensure(bytes.length <= MAX_PROVISIONING_BYTES, `${bytes.length} bytes were taken`);
}

const board = mutated('the answer of a board', {
  pool: dice =>
    Array.from({ length: 60 }, () =>
      encodeBoard({
        board: dice.text(12),
        firmware: dice.text(12),
        state: dice.pick(['unprovisioned', 'provisioned', 'fault']),
        open: dice.oneIn(2),
        ...(dice.oneIn(2) && { id: dice.bytes(8) }),
      }),
    ),
  words: WORDS,
  maxBytes: 2000,
  mixed: true,
  check(given, dice) {
    const bytes = alteredBytes(given, dice);
    const read = decodeBoard(bytes);
    if (read === undefined) return false;
    small(bytes);
    ensure(read.id === undefined || read.id.length === 8, 'an id of another size');
    ensure(same(encodeBoard(read), bytes), 'encodes otherwise');
    return true;
  },
});

const provision = mutated('keys and settings for a board', {
  pool: dice =>
    Array.from({ length: 100 }, () =>
      encodeProvision({
        id: dice.bytes(8),
        chain: dice.bytes(32),
        down: dice.bytes(32),
        settings: settings(dice),
      }),
    ),
  words: WORDS,
  maxBytes: 2000,
  mixed: true,
  check(given, dice) {
    const bytes = alteredBytes(given, dice);
    const read = decodeProvision(bytes);
    if (typeof read === 'string') {
      ensure(read !== '', 'no reason');
      return false;
    }
    small(bytes);
    ensure(
      [read.id, read.chain, read.down].map(part => part.length).join() === '8,32,32',
      'keys of other sizes',
    );
    ensure(same(encodeProvision(read), bytes), 'encodes otherwise');
    return true;
  },
});

const provisioned = mutated('what a board says of its new keys', {
  pool: dice =>
    Array.from({ length: 60 }, () =>
      encodeProvisioned(
        dice.oneIn(2)
          ? { ok: true, id: dice.bytes(8), check: dice.bytes(8) }
          : { ok: false, reason: dice.text(30) },
      ),
    ),
  words: WORDS,
  maxBytes: 2000,
  mixed: true,
  check(given, dice) {
    const bytes = alteredBytes(given, dice);
    const read = decodeProvisioned(bytes);
    if (read === undefined) return false;
    small(bytes);
    if (read.ok) ensure(read.id.length === 8 && read.check.length === 8, 'id or check of another size');
    ensure(same(encodeProvisioned(read), bytes), 'encodes otherwise');
    return true;
  },
});

const alone = mutated('settings alone', {
  pool: dice =>
    Array.from({ length: 100 }, () => {
      const bytes = encodeSettings(settings(dice));
      ensure(typeof bytes !== 'string', String(bytes));
      return bytes;
    }),
  words: WORDS,
  maxBytes: 2000,
  mixed: true,
  check(given, dice) {
    const bytes = alteredBytes(given, dice);
    const read = decodeSettings(bytes);
    if (typeof read === 'string') return false;
    const again = encodeSettings(read);
    ensure(typeof again !== 'string' && same(again, bytes), 'encodes otherwise');
    return true;
  },
});

export const provisioning: Target = {
  name: 'provisioning',
  properties: [board, provision, provisioned, alone],
};
