import { chmodSync } from 'node:fs';
import test from 'ava';
import type { Fault } from '../../../host/fault.js';
import { Keyring } from '../../../host/keyring/file.js';
import { sdkDeviceId } from '../../../host/keyring/sdk-id.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { device, keyringFile } from './keys.js';

const CHAIN = 'ab'.repeat(32);
const entry = (id: string, name: string) => `  - { id: ${id}, name: ${name}, epoch: 0, chain: ${CHAIN} }\n`;

test('what is rendered is read again as it was', t => {
  const { down: _, ...verifyOnly } = device('b-1');
  const sdk = { node: 'noëud "1"\n', key: new Uint8Array([0, 255]), allowReset: true };
  const entries = [
    device('probe'),
    { ...verifyOnly, epoch: 4097 },
    { id: sdkDeviceId(sdk.node), name: 'Gewächshaus', epoch: 0, chain: new Uint8Array(0), sdk },
  ];
  const again = Keyring.parse(new Keyring(entries, ['0123456789abcdef']).render(), 'k');
  t.deepEqual([...again.entries()], entries);
  t.deepEqual([...again.removed], ['0123456789abcdef']);
  t.is(again.byName('probe')?.id, entries[0].id);
  t.is(again.byNode(sdk.node)?.id, entries[2].id);
  t.is(again.get('0123456789abcdef'), undefined);
  t.is(Keyring.parse(new Keyring([]).render(), 'k').size, 0);
});

test('a rendered file is judged by the same rules, and read the same with a comment in it', t => {
  const [a, b] = [device('a'), device('b')];
  const text = new Keyring([a, b], ['0123456789abcdef']).render();
  t.deepEqual([...Keyring.parse(`${text}# mine\n`, 'k').entries()], [a, b]);
  t.deepEqual([...Keyring.parse(text.replace('epoch: 0', 'epoch:  0'), 'k').entries()], [a, b]);
  const refused = (broken: string) => {
    t.not(broken, text);
    t.throws(() => Keyring.parse(broken, 'k'), { code: 'keyring-invalid' });
  };
  refused(text.replace(b.id, a.id));
  refused(text.replace('"b"', '"a"'));
  refused(text.replace('"b"', '"b b"'));
  refused(text.replace(b.id, '0123456789abcdef'));
  refused(text.replace('epoch: 0', 'epoch: 00'));
  refused(text.replace('epoch: 0', 'epoch: 9999999999999999'));
  refused(text.replace('version: 1', 'version: 2'));
  refused(text.replace('devices:', 'devices:\n  - {}'));
  refused(`${text}  - "x"\n`);
});

test('an id that YAML would take for a number stays an id, quoted or not', t => {
  for (const id of ['1234567890123456', '12e4567890123456', '0000000000000000']) {
    const keyring = Keyring.parse(`version: 1\ndevices:\n${entry(id, '12')}`, 'k');
    t.is(keyring.get(id)?.name, '12');
  }
});

test('the SDK id is the first 8 bytes of SHA-256 of the node name', t => {
  // printf esp32-a1 | sha256sum
  t.is(sdkDeviceId('esp32-a1'), '6dda3382e92c7863');
});

for (const mode of [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
  test(`mode ${mode.toString(8)} is refused, with the command that mends it`, async t => {
    const path = keyringFile(t, [device('a')], mode);
    const fault = (await t.throwsAsync(Keyring.load(path, privateFiles))) as Fault;
    t.is(fault.code, 'keyring-readable');
    t.is(fault.remedy, `chmod 600 ${path}`);
    chmodSync(path, 0o600);
    t.is((await Keyring.load(path, privateFiles)).size, 1);
  });

for (const mode of [0o600, 0o400])
  test(`mode ${mode.toString(8)} is taken`, async t => {
    t.is((await Keyring.load(keyringFile(t, [device('a')], mode), privateFiles)).size, 1);
  });

test('a missing keyring names the command that makes one', async t => {
  await t.throwsAsync(Keyring.load('/nowhere/keyring.yaml', privateFiles), { code: 'keyring-missing' });
});

const bad: Record<string, [text: string, ...problems: RegExp[]]> = {
  'no version': ['devices: []', /:1: version: is missing/],
  'another version': ['version: 2\ndevices: []', /:1: version: expected 1, got "2"/],
  'many mistakes': [
    `version: 1\ndevices:\n  - id: xyz\n    name: a b\n    epoch: -1\n    chain: 00\n    root: 11\n`,
    /:3: devices\[0\]\.id: expected 16/,
    /:4: devices\[0\]\.name/,
    /:5: devices\[0\]\.epoch/,
    /:6: devices\[0\]\.chain: expected 64 hex digits, got something else/,
    /:7: devices\[0\]\.root: unknown key/,
  ],
  'an id twice': [
    `version: 1\ndevices:\n${entry('0123456789abcdef', 'a')}${entry('0123456789abcdef', 'b')}`,
    /:4: devices\[1\]\.id: the same id as devices\[0\]/,
  ],
  'a name twice': [
    `version: 1\ndevices:\n${entry('0123456789abcdef', 'a')}${entry('1123456789abcdef', 'a')}`,
    /:4: devices\[1\]\.name: the same name/,
  ],
  'a removed id in use': [
    `version: 1\ndevices:\n${entry('0123456789abcdef', 'a')}removed: [0123456789abcdef]`,
    /:3: devices\[0\]\.id: stands under removed/,
  ],
  'a name that looks like an id': [
    `version: 1\ndevices:\n${entry('0123456789abcdef', 'fedcba9876543210')}`,
    /name/,
  ],
  'an upper-case id': [`version: 1\ndevices:\n${entry('0123456789ABCDEF', 'a')}`, /lower-case/],
  'a device without a chain': [
    'version: 1\ndevices: [{ id: 0123456789abcdef, name: a, epoch: 0 }]',
    /has no chain/,
  ],
  'an epoch past 2^53': [
    `version: 1\ndevices: [{ id: 0123456789abcdef, name: a, epoch: 9007199254740992, chain: ${CHAIN} }]`,
    /beyond 2\^53-1/,
  ],
  'sdk keys beside a chain': [
    `version: 1\ndevices: [{ name: a, chain: ${CHAIN}, sdk: { node: n, key: 00 } }]`,
    /chain: does not go with sdk/,
  ],
  'a node name too long': [
    `version: 1\ndevices: [{ name: a, sdk: { node: ${'é'.repeat(65)}, key: 00 } }]`,
    /at most 128 bytes/,
  ],
  'an odd key': [
    'version: 1\ndevices: [{ name: a, sdk: { node: n, key: 000 } }]',
    /even number of hex digits/,
  ],
};
for (const [name, [text, ...problems]] of Object.entries(bad))
  test(`refuses ${name}`, t => {
    const fault = t.throws(() => Keyring.parse(text, 'k.yaml')) as Fault;
    t.is(fault.code, 'keyring-invalid');
    for (const problem of problems) t.regex(fault.message, problem);
    t.notRegex(fault.message, new RegExp(CHAIN));
  });

test('a broken keyring is told by its lines, never by its keys', t => {
  const { id } = device('a');
  const whole = `version: 1\ndevices:\n${entry(id, 'a')}`;
  for (const broken of [
    `${whole}"x\n- chain: "${CHAIN}"\n`,
    whole.replace('chain: ', 'chain: *'),
    whole.replace('chain: ', `${CHAIN}: `),
    whole.replace('chain: ', 'chain: !'),
    whole.replace('version: 1', `version: ${CHAIN}`),
    `devices: ] "${CHAIN}"\n`,
  ]) {
    const error = t.throws(() => Keyring.parse(broken, 'k'), { code: 'keyring-invalid' });
    t.false(error.message.includes(CHAIN.slice(0, 20)), error.message);
  }
});

test('a node name without UTF-8 is none', t => {
  const sdk = (node: string) => `version: 1\ndevices:\n  - { name: n, sdk: { node: ${node}, key: 00 } }\n`;
  t.is(Keyring.parse(sdk('"\\ud83c\\udf21"'), 'k').size, 1);
  t.throws(() => Keyring.parse(sdk('"\\ud83c"'), 'k'), { code: 'keyring-invalid' });
});
