/** What stands in a backup, once it is decrypted: whoever knows the public key can have made it. */
import { isDeepStrictEqual } from 'node:util';
import { placeObject, readManifest, readPlace } from '../../host/backup/contents.js';
import { decodeHops, encodeHops, type Hop } from '../../host/backup/handover.js';
import { openArchive } from '../../host/backup/open.js';
import { type Chunks, END, memberHeader, padding } from '../../host/backup/tar.js';
import { Fault } from '../../host/fault.js';
import { Keyring } from '../../host/keyring/file.js';
import { backupPorts } from '../../host/node/backup-ports.js';
import { alteredText } from './alter.js';
import { chunks, ensure, mutated, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const PLACE = {
  positions: [['0011223344556677', 3, 17, '8899aabbccddeeff', 0, 18, 1]],
  nextOffset: 99,
  durableOffset: 98,
  segments: [1, 50],
  previous: { first: 50, last: 97, bytes: 4711 },
  cursors: { uplink: { offset: 90, ranges: [[92, 94]] } },
};
const MANIFEST = {
  backup: 1,
  version: '0.1.0',
  at: 1_780_000_000_000,
  site: 'cellar',
  gateway: 'gw-1',
  config: '/etc/sovereign/config.yaml',
  keyring: '/etc/sovereign/keyring.yaml',
  data: '/var/lib/sovereign',
  files: [{ member: 'files/0-ca.pem', path: '/etc/ssl/ca.pem', setting: 'uplink.ca' }],
  journal: true,
};
const HOP: Hop = { from: 'gw-1', to: 'gw-2', backupAt: 1, restoredAt: 2, next: 3, offset: 2 ** 44 };
const KEYS = [
  ...Object.keys(PLACE),
  ...Object.keys(MANIFEST),
  ...Object.keys(HOP),
  'first',
  'last',
  'bytes',
  'hops',
];
const WORDS = words(
  'manifest.json\0',
  'config.yaml\0',
  'keyring.yaml\0',
  'state.json\0',
  'SHA256SUMS\0',
  'journal/00000000000000000001.jsonl\0',
  'evidence/0011223344556677-1-2-8899aabbccddeeff.json\0',
  '../x\0',
  'ustar\u000000',
  '00000000000\0',
  '77777777777\0',
  '"positions":',
  '"0011223344556677"',
  '[',
  ']',
  '{',
  '}',
  ',',
  '-1',
  '0.5',
  '9007199254740991',
  'null',
  '"__proto__"',
);
const utf8 = (text: string) => Buffer.from(text);

interface Part {
  readonly name: string;
  readonly content: Uint8Array;
}

function archive(parts: readonly Part[], sums: boolean): Buffer {
  const lines: string[] = [];
  for (const { name, content } of parts) {
    const hash = backupPorts.hash();
    hash.update(content);
    lines.push(`${hash.hex()}  ${name}\n`);
  }
  const all = sums ? [...parts, { name: 'SHA256SUMS', content: utf8(lines.join('')) }] : parts;
  const blocks = all.flatMap(({ name, content }) => [
    memberHeader(name, content.length, 0),
    content,
    padding(content.length),
  ]);
  return Buffer.concat([...blocks, END]);
}

/** Of members: some that there are, some that lead elsewhere. */
const NAMES = [
  'status.json',
  'device-settings.json',
  'evidence/0011223344556677-1-2-8899aabbccddeeff.json',
  'evidence/../../../etc/cron.d/x',
  'evidence/x.json',
  'journal/../lock',
  'journal/00000000000000000000.jsonl',
  'journal/99999999999999999999.jsonl',
  'files/1-a/../../b',
  '/etc/passwd',
  'control.sock',
];

/** What a backup has, some of it with other values, or missing, or twice; the sums are right. */
function anyArchive(dice: Dice): Buffer {
  const json = (value: unknown) => {
    const text = JSON.stringify(value);
    return utf8((dice.oneIn(4) ? alteredText(text, dice, KEYS) : undefined) ?? text);
  };
  const parts: Part[] = [
    { name: 'manifest.json', content: json(MANIFEST) },
    { name: 'config.yaml', content: utf8('site: cellar\ngateway: gw-1\n') },
    { name: 'keyring.yaml', content: utf8(new Keyring([]).render()) },
    { name: 'files/0-ca.pem', content: dice.bytes(dice.below(40)) },
    { name: 'state.json', content: json(PLACE) },
    { name: 'handover.json', content: encodeHops([HOP]) },
    { name: 'journal/00000000000000000001.jsonl', content: dice.bytes(dice.below(1200)) },
  ];
  if (dice.oneIn(6)) parts.push({ name: dice.pick(NAMES), content: dice.bytes(dice.below(9)) });
  if (dice.oneIn(6)) parts.splice(dice.below(parts.length), 1);
  if (dice.oneIn(12)) parts.push(dice.pick(parts));
  return archive(parts, !dice.oneIn(12));
}

/** A Fault is an answer; anything else that is thrown is a mistake. */
async function answer<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    ensure(error instanceof Fault && error.code !== '', `threw ${String(error)}`);
    return undefined;
  }
}

const TAKEN =
  /^(device-settings\.json|handover\.json|evidence\/[0-9a-f]{16}-\d+-\d+-[0-9a-f]{16}\.json|journal\/\d{20}\.jsonl)$/;

const archives = mutated(
  'any archive is a backup or is refused, and only files of a gateway are taken from it',
  {
    pool: dice => Array.from({ length: 60 }, () => anyArchive(dice)),
    words: WORDS,
    mixed: true,
    waits: true,
    async check(given, dice) {
      // Half of the time the sums are right, and what stands in the members is the question.
      const bytes = dice.oneIn(2) ? given : anyArchive(dice);
      async function* pieces(): Chunks {
        yield* chunks(bytes, dice);
      }
      let taken = 0;
      const opened = await answer(() =>
        openArchive(backupPorts, pieces(), 'FILE', async (name, body) => {
          ensure(TAKEN.test(name), `takes ${JSON.stringify(name)}`);
          for await (const chunk of body) taken += chunk.length;
        }),
      );
      ensure(taken <= bytes.length, `${taken} bytes of ${bytes.length}`);
      if (opened === undefined) return false;
      for (const { path } of opened.manifest.files) ensure(!/\/\.\.?(\/|$)/.test(path), path);
      return true;
    },
  },
);

const texts = mutated('any text is what it says, and is read the same again, or is refused', {
  pool: dice =>
    Array.from({ length: 100 }, () => {
      const text = JSON.stringify(
        dice.pick([
          PLACE,
          { ...PLACE, positions: [...PLACE.positions, ...PLACE.positions] },
          MANIFEST,
          { handover: 1, hops: [HOP, HOP] },
        ]),
      );
      return utf8(alteredText(text, dice, KEYS) ?? text);
    }),
  words: WORDS,
  mixed: true,
  waits: true,
  async check(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      value = undefined;
    }
    const place = await answer(() => readPlace(value));
    if (place) {
      const rows = (value as typeof PLACE).positions.length;
      ensure(place.positions.size === rows, `${rows} positions of ${place.positions.size} devices`);
    }
    if (place)
      ensure(
        isDeepStrictEqual(readPlace(JSON.parse(JSON.stringify(placeObject(place)))), place),
        'another place',
      );
    const manifest = await answer(() => readManifest(value));
    const hops = await answer(() => decodeHops(bytes));
    if (hops) ensure(isDeepStrictEqual(decodeHops(encodeHops(hops)), hops), 'other hops');
    return place !== undefined || manifest !== undefined || hops !== undefined;
  },
});

export const backup: Target = { name: 'backup', slowness: 8, properties: [archives, texts] };
