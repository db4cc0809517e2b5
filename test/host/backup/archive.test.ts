import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { decrypt, encrypt, newKeyFile, readKeys } from '../../../host/backup/age.js';
import { END, memberHeader, membersOf, padding } from '../../../host/backup/tar.js';
import { needs } from '../../support/needs.js';
import {
  BACKUP_AT,
  bytesOf,
  inPieces,
  keys,
  oldGateway,
  open,
  sealAgain,
  take,
  temporary,
  unsealed,
} from './rig.js';

const run = promisify(execFile);
const utf8 = (text: string) => Buffer.from(text);

function archive(...members: [name: string, content: Uint8Array][]): Buffer {
  const parts = members.flatMap(([name, content]) => [
    memberHeader(name, content.length, BACKUP_AT),
    content,
    padding(content.length),
  ]);
  return Buffer.concat([...parts, END]);
}

async function contents(bytes: Uint8Array, pieces = 700): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { name, body } of membersOf(inPieces(bytes, pieces)))
    found.push([name, (await bytesOf(body)).toString()]);
  return found;
}

test('what is put in comes out, in pieces of any size, read to the end or not', async t => {
  const members: [string, Buffer][] = [
    ['empty', Buffer.alloc(0)],
    ['one', utf8('x')],
    ['block', Buffer.alloc(512, 'b')],
    ['more', Buffer.alloc(1500, 'm')],
  ];
  const bytes = archive(...members);
  for (const pieces of [1, 7, 512, 100_000])
    t.deepEqual(
      await contents(bytes, pieces),
      members.map(([name, content]) => [name, content.toString()]),
    );
  const names: string[] = [];
  for await (const { name, body } of membersOf(inPieces(bytes))) {
    names.push(name);
    for await (const _ of body) break;
  }
  t.deepEqual(names, ['empty', 'one', 'block', 'more']);
});

test('tar takes our archives, and we take those of tar', async t => {
  const directory = await temporary(t);
  await mkdir(join(directory, 'journal'));
  await writeFile(
    join(directory, 'ours.tar'),
    archive(['config.yaml', utf8('a: 1\n')], ['journal/x', utf8('y')]),
  );
  const { stdout } = await run('tar', ['-xvf', 'ours.tar'], { cwd: directory });
  t.is(stdout, 'config.yaml\njournal/x\n');
  await run('tar', ['--format=ustar', '-cf', 'theirs.tar', 'config.yaml', 'journal/x'], { cwd: directory });
  const { stdout: theirs } = await run('cat', ['theirs.tar'], { cwd: directory, encoding: 'buffer' });
  t.deepEqual(await contents(theirs as unknown as Buffer), [
    ['config.yaml', 'a: 1\n'],
    ['journal/x', 'y'],
  ]);
});

test('what is no archive of plain files is refused, and none is too short or too long', async t => {
  const good = archive(['a', utf8('content')]);
  const refused = (bytes: Uint8Array) => t.throwsAsync(contents(bytes), { code: 'backup-form' });
  for (let bytes = 0; bytes < good.length - END.length + 512; bytes += 37)
    await refused(good.subarray(0, bytes));
  await refused(Buffer.concat([good, utf8('x')]));
  await refused(Buffer.alloc(512, 'x'));
  const altered = (at: number, text: string) => {
    const bytes = Buffer.from(good);
    bytes.write(text, at, 'latin1');
    return bytes;
  };
  await refused(altered(0, 'b')); // the checksum
  await refused(altered(124, '99999999999'));
  await refused(altered(257, 'nothing'));
  const link = memberHeader('a', 0, 0);
  link[156] = 0x32;
  await refused(link);
  t.throws(() => memberHeader('x'.repeat(100), 0, 0), { instanceOf: RangeError });
  t.throws(() => memberHeader('ä', 0, 0), { instanceOf: RangeError });
});

test('age opens our backups, to a key and with a passphrase', async t => {
  const age = needs(t, 'age');
  if (age === undefined) return;
  const directory = await temporary(t);
  const old = await oldGateway(t);
  const { lock, text } = await keys();
  const { archive: plain } = await take(old, old.place(), { journal: true });
  await writeFile(join(directory, 'key'), text);
  await writeFile(join(directory, 'sealed'), await bytesOf(await encrypt(inPieces(plain), lock)));
  await run(age, ['--decrypt', '-i', 'key', '-o', 'plain', 'sealed'], { cwd: directory });
  const { stdout } = await run('sha256sum', ['plain'], { cwd: directory });
  const { createHash } = await import('node:crypto');
  t.true(stdout.startsWith(createHash('sha256').update(plain).digest('hex')));
  await mkdir(join(directory, 'apart'));
  await run('tar', ['-xf', '../plain'], { cwd: join(directory, 'apart') });
  await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: join(directory, 'apart') });

  const script = needs(t, 'script', 'bsdutils');
  if (script === undefined) return;
  const passphrase = 'six words that nobody guesses';
  await writeFile(join(directory, 'worded'), await bytesOf(await encrypt(inPieces(plain), { passphrase })));
  // age asks at the terminal alone.
  const code = await typed(script, `${age} --decrypt -o again worded`, directory, [passphrase]);
  t.is(code, 0);
  await run('cmp', ['plain', 'again'], { cwd: directory });
});

test('we open what age has sealed', async t => {
  const age = needs(t, 'age');
  const keygen = needs(t, 'age-keygen', 'age');
  if (age === undefined || keygen === undefined) return;
  const directory = await temporary(t);
  const old = await oldGateway(t);
  const { archive: plain } = await take(old, old.place());
  await writeFile(join(directory, 'plain'), plain);
  const { stdout: text } = await run(keygen, []);
  const { recipients, identities } = await readKeys(text, 'key');
  await run(age, ['-r', recipients[0]!, '-o', 'sealed', 'plain'], { cwd: directory });
  const sealed = async (name: string) => {
    const { stdout } = await run('cat', [name], { cwd: directory, encoding: 'buffer', maxBuffer: 1 << 26 });
    return stdout as unknown as Buffer;
  };
  const opened = await open({ sealed: await sealed('sealed'), unlock: { identities } });
  t.is(opened.manifest.gateway, 'gw-old');

  const script = needs(t, 'script', 'bsdutils');
  if (script === undefined) return;
  const passphrase = 'six words that nobody guesses';
  t.is(await typed(script, `${age} -p -o worded plain`, directory, [passphrase, passphrase]), 0);
  t.deepEqual(await unsealed({ sealed: await sealed('worded'), unlock: { passphrase } }), plain);
});

/** Runs a command at a terminal and types lines, each when it has asked. */
function typed(
  script: string,
  command: string,
  cwd: string,
  lines: readonly string[],
): Promise<number | null> {
  return new Promise(resolve => {
    const child = spawn(script, ['-qec', command, '/dev/null'], { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
    let asked = 0;
    child.stdout.on('data', (text: Buffer) => {
      if (asked < lines.length && /passphrase/i.test(text.toString()))
        child.stdin.write(`${lines[asked++]}\n`);
    });
    child.once('close', resolve);
  });
}

test('another key, another passphrase, an altered byte, a missing end: each is told for what it is', async t => {
  const plain = archive(['a', Buffer.alloc(200_000, 'a')]);
  const { sealed, unlock } = await sealAgain(plain);
  t.deepEqual(await unsealed({ sealed, unlock }), plain);
  const other = await keys();
  const opens = (bytes: Uint8Array, by = unlock) => unsealed({ sealed: Buffer.from(bytes), unlock: by });
  await t.throwsAsync(opens(sealed, other.unlock), { code: 'backup-key-wrong' });
  await t.throwsAsync(opens(sealed, { passphrase: 'a passphrase for another' }), {
    code: 'backup-key-wrong',
  });
  for (const bytes of ['', 'nonsense', 'age-encryption.org/v2\n-> x\n'])
    await t.throwsAsync(opens(utf8(bytes)), { code: 'backup-form' });
  for (const bytes of [30, 100, 180])
    await t.throwsAsync(opens(sealed.subarray(0, bytes)), { code: 'backup-damaged' }, `${bytes} bytes`);
  const body = sealed.lastIndexOf('\n', 400) + 1;
  for (const at of [body, body + 20, 70_000, sealed.length - 1]) {
    const altered = Buffer.from(sealed);
    altered[at]! ^= 1;
    await t.throwsAsync(opens(altered), { code: 'backup-damaged' }, `byte ${at}`);
  }
  for (const bytes of [sealed.length - 1, sealed.length - 70_000, body + 16 + 65_552])
    await t.throwsAsync(opens(sealed.subarray(0, bytes)), { code: 'backup-damaged' }, `${bytes} bytes`);
  const disk = (async function* () {
    yield sealed.subarray(0, 1000);
    throw Object.assign(new Error('the disk'), { code: 'EIO' });
  })();
  const error = await t.throwsAsync(async () => bytesOf(await decrypt(disk, unlock, 'FILE')));
  t.is(error?.message, 'the disk');
});

test('key files: comments, public keys, secret ones; what is none is named by its line, and not shown', async t => {
  const { text, recipient } = await newKeyFile(BACKUP_AT);
  const secret = text.trim().split('\n').at(-1)!;
  t.regex(text, /^# created: 2026-/);
  t.deepEqual(await readKeys(text, 'f'), { recipients: [recipient], identities: [secret] });
  t.deepEqual(await readKeys(`# mine\n\n ${recipient} \n`, 'f'), { recipients: [recipient], identities: [] });
  for (const wrong of [`${recipient}\n${secret.slice(0, -1)}`, `\n${secret.toLowerCase()}`, '#\nage1']) {
    const fault = await t.throwsAsync(readKeys(wrong, 'f'), { code: 'backup-key' });
    t.regex(fault!.message, /^f:2: /);
    t.false(fault!.message.includes(secret.slice(16, 40)));
  }
  await t.throwsAsync(readKeys('# nothing', 'f'), { code: 'backup-key', message: /no key/ });
  const checksum = recipient.replace(/.$/, last => (last === 'q' ? 'p' : 'q'));
  await t.throwsAsync(encrypt(inPieces(utf8('x')), { recipients: [checksum] }), { code: 'backup-key' });
});

test('sums that do not agree, members that are none, and what is missing', async t => {
  const old = await oldGateway(t);
  const { archive: plain } = await take(old, old.place());
  const members = await contents(plain);
  const again = async (change: (members: [string, string][]) => [string, string][]) =>
    open(await sealAgain(archive(...change([...members]).map(([n, c]) => [n, utf8(c)] as [string, Buffer]))));
  await t.notThrowsAsync(again(all => all));
  const config = await t.throwsAsync(
    again(all => all.map(([name, text]) => [name, name === 'config.yaml' ? `${text}#` : text])),
    { code: 'backup-damaged' },
  );
  t.regex(config!.message, /config\.yaml is not what was backed up/);
  await t.throwsAsync(
    again(all => all.filter(([name]) => name !== 'config.yaml')),
    { code: 'backup-damaged' },
  );
  await t.throwsAsync(
    again(all => all.slice(0, -1)),
    { code: 'backup-form', message: /SHA256SUMS/ },
  );
  await t.throwsAsync(
    again(all => [...all, all[0]!]),
    { code: 'backup-form' },
  );
  for (const name of [
    '../etc/passwd',
    '/etc/passwd',
    'journal/../../x',
    'evidence/x.sh',
    'lock',
    'journal/1.jsonl',
  ])
    await t.throwsAsync(
      again(all => [[name, 'x'], ...all]),
      { code: 'backup-form' },
      name,
    );
});
