/** The keyring file: `Keyring.parse`, by its fast reader and by YAML, against `Keyring.render`. */
import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { Fault } from '../../host/fault.js';
import { type KeyringEntry, MAX_NODE_BYTES, NAME } from '../../host/keyring/entry.js';
import { Keyring } from '../../host/keyring/file.js';
import { sdkDeviceId } from '../../host/keyring/sdk-id.js';
import { alteredText } from './alter.js';
import { ensure, mutated, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const KEYS = [
  'version',
  'devices',
  'removed',
  'id',
  'name',
  'epoch',
  'chain',
  'down',
  'pending',
  'sdk',
  'node',
  'key',
  'allowReset',
  'true',
  '0011223344556677',
  'ab'.repeat(32),
  '9007199254740992',
  '\ud800',
  '__proto__',
];
const NAMES = ['cellar-probe', 'Ofen_3', 'größe', 'a', '7.x', 'true', '1e5', 'null'];

function entry(dice: Dice, name: string): KeyringEntry {
  if (dice.oneIn(3)) {
    const node = `n${dice.text(12)}`;
    const key = dice.bytes(1 + dice.below(40));
    const chain = new Uint8Array(0);
    return { id: sdkDeviceId(node), name, epoch: 0, chain, sdk: { node, key, allowReset: dice.oneIn(2) } };
  }
  return {
    id: Buffer.from(dice.bytes(8)).toString('hex'),
    name,
    epoch: dice.uint(),
    chain: dice.bytes(32),
    ...(dice.oneIn(2) && { down: dice.bytes(32) }),
    ...(dice.oneIn(4) && { pending: true as const }),
  };
}

function keyring(dice: Dice): Keyring {
  const count = dice.below(3);
  const from = dice.below(NAMES.length);
  const entries = Array.from({ length: count }, (_, i) => entry(dice, NAMES[(from + i) % NAMES.length]));
  const removed = Array.from({ length: dice.below(2) }, () => Buffer.from(dice.bytes(8)).toString('hex'));
  return new Keyring(entries, removed);
}

const WORDS = words(
  'version: 1\n',
  'devices:\n',
  'devices: []\n',
  'removed:\n',
  'removed: []\n',
  '  - id: "0011223344556677"\n',
  '    name: "x"\n',
  '    epoch: 0\n',
  `    chain: "${'00'.repeat(32)}"\n`,
  `    down: "${'ff'.repeat(32)}"\n`,
  '    pending: true\n',
  '    sdk: { node: "n", key: "00", allowReset: false }\n',
  '  - "0011223344556677"\n',
  '__proto__: 1\n',
  '    __proto__: { node: "n", key: "00" }\n',
  '\\ud800',
  '\\u0000',
  '\\"',
  '&a ',
  '*a',
  '!!binary ',
  '? ',
  '- ',
  '[',
  '{',
  '}',
  '"',
  "'",
  ': ',
  ' ',
  '\n',
  '\t',
  '#',
  '---\n',
  '...\n',
  '|\n',
  '>',
  '9007199254740993',
  '0x10',
  [0xff],
  [0xef, 0xbb, 0xbf],
);

/** The keyring of a text; undefined when it is refused as it should be. */
function parsed(text: string): Keyring | undefined {
  try {
    return Keyring.parse(text, '/k');
  } catch (error) {
    ensure(error instanceof Fault && error.code === 'keyring-invalid', `throws ${error}`);
    ensure(error.message.length < 64 * 1024, `a message of ${error.message.length} characters`);
    // The keys themselves are no matter for a log.
    ensure(!/[0-9a-f]{32}/.test(error.message), `tells a key: ${error.message}`);
    return undefined;
  }
}

/** Devices in a text that was taken. */
function devicesOf(text: string): number {
  const document: unknown = parseYaml(text, { schema: 'failsafe', logLevel: 'error' });
  return (document as { devices: unknown[] }).devices.length;
}

const files = mutated('any text: what is wrong with it, or a keyring that is written and read the same', {
  pool: dice =>
    Array.from({ length: 80 }, () => {
      const text = keyring(dice).render();
      // YAML is a superset of JSON, and JSON can be altered by its values.
      return Buffer.from(dice.oneIn(2) ? text : JSON.stringify(parseYaml(text, { schema: 'failsafe' })));
    }),
  mixed: true,
  words: WORDS,
  maxBytes: 6000,
  check(bytes, dice) {
    const given = Buffer.from(bytes).toString('utf8');
    const text = (dice.oneIn(2) && alteredText(given, dice, KEYS)) || given;
    const read = parsed(text);
    if (read === undefined) return false;
    const entries = [...read.entries()];
    ensure(entries.length === devicesOf(text), `${entries.length} devices`);
    ensure(entries.length === read.size, 'miscounted');
    for (const { id, name, chain, epoch, sdk } of entries) {
      ensure(/^[0-9a-f]{16}$/.test(id) && NAME.test(name) && read.byName(name)?.id === id, `${id} ${name}`);
      ensure(Number.isSafeInteger(epoch) && epoch >= 0, `epoch ${epoch}`);
      ensure(
        sdk ? sdk.key.length > 0 && Buffer.byteLength(sdk.node) <= MAX_NODE_BYTES : chain.length === 32,
        'keys',
      );
      ensure(
        sdk ? read.byNode(sdk.node)?.id === id : !read.removed.has(id),
        `${id} is not found, or was removed`,
      );
    }
    const rendered = read.render();
    const again = parsed(rendered);
    ensure(again !== undefined, `refuses what it has written\n${rendered}`);
    ensure(again.render() === rendered, 'is written otherwise');
    ensure(isDeepStrictEqual([...again.entries()], entries), 'reads otherwise what it has written');
    if (!dice.oneIn(4)) return true;
    // A comment takes the text from the fast reader to YAML.
    const slow = parsed(`${rendered}# slowly\n`);
    ensure(slow !== undefined && isDeepStrictEqual([...slow.entries()], entries), 'YAML reads otherwise');
    ensure(isDeepStrictEqual(slow.removed, read.removed), 'YAML reads other removed ids');
    return true;
  },
});

export const keyrings: Target = { name: 'keyring', properties: [files], slowness: 8 };
