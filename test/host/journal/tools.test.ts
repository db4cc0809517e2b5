import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import { Kind, label, Sealer } from '../../../firmware/seal/index.js';
import { register } from '../../../host/cli/journal.js';
import { Cursor } from '../../../host/journal/cursor.js';
import { Journal } from '../../../host/journal/journal.js';
import { describePayload, encodeSdkPayload } from '../../../host/journal/payload.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { lockDirectory } from '../../../host/node/lock.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { silent, store, TestClock } from './world.js';

const ID = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const READINGS = 40;
const FRAME = `{"alg":"hmac-sha256","d":{"value":23},"n":"esp32-a1","q":1,"s":"${'d7'.repeat(32)}","t":"now","v":1}`;

/** A data directory with a journal on the real file system: sealed readings, a wrapped frame, several segments. */
async function dataDirectory(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'sovereign-journal-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const ports = { storage: new NodeStorage(), clock: new TestClock(), log: silent };
  const journal = await Journal.open(ports, { directory: join(data, 'journal'), segmentBytes: 3000 });
  const sealer = new Sealer(nodeDigest, ID);
  sealer.startEpoch(7, new Uint8Array(32));
  const temperature = label('temperature', 'Cel');
  const add = async (bytes: Uint8Array) => {
    const { device, epoch, seq, tag8, final } = describePayload(bytes)!;
    const link = 'serial:/dev/ttyACM0';
    await store(journal, {
      kind: 'reading',
      at: 1_780_000_000_000,
      link,
      device,
      epoch,
      seq,
      bytes,
      tag8,
      final,
      offset: -1,
    });
  };
  for (let i = 0; i < READINGS; i++) {
    sealer.begin(i, 1_780_000_000_000 + i, i === 0 ? Kind.start : 0).number(temperature, 20 + i / 2);
    const length = sealer.seal();
    await add(sealer.buffer.slice(sealer.start, sealer.start + length));
  }
  await add(encodeSdkPayload('esp32-a1', 0, Buffer.from(FRAME)));
  await journal.close();
  return data;
}

async function run(
  ...args: string[]
): Promise<{ out: string[]; err: string[]; code: string; message: string }> {
  const said = { out: '', err: '' };
  const sink = (name: 'out' | 'err') => ({
    terminal: false,
    columns: 100,
    write: async (text: string) => {
      said[name] += text;
    },
  });
  const program = new Command().exitOverride();
  register(program, { out: sink('out'), err: sink('err'), environment: () => undefined });
  let [code, message] = ['', ''];
  try {
    await program.parseAsync(['journal', ...args], { from: 'user' });
  } catch (error) {
    ({ code, message } = error as { code: string; message: string });
  }
  const lines = (text: string) => text.split('\n').filter(line => line !== '');
  return { out: lines(said.out), err: lines(said.err), code, message };
}

test('cat prints every entry with what it says, from a data or a journal directory', async t => {
  const data = await dataDirectory(t);
  const { out, code } = await run('cat', data, '--json');
  t.is(code, '');
  t.is(out.length, READINGS + 1);
  const third = JSON.parse(out[2]);
  t.like(third, { kind: 'reading', device: '0102030405060708', epoch: 7, seq: 2, time: 1_780_000_000_002 });
  t.deepEqual(third.records, [{ n: 'temperature', u: 'Cel', v: 21 }]);
  t.is(describePayload(Buffer.from(third.bytes, 'base64url'))?.seq, 2);
  t.like(JSON.parse(out[READINGS]), { node: 'esp32-a1', frame: FRAME, seq: 1 });
  const from = JSON.parse(out[30]).offset;
  const rest = await run('cat', join(data, 'journal'), '--from', String(from));
  t.is(rest.out.length, READINGS + 1 - 30);
  t.true(rest.out[0].includes('temperature=35Cel'), rest.out[0]);
});

test('check is content with a sound journal; a damaged one is described, repaired, and described again', async t => {
  const data = await dataDirectory(t);
  const sound = await run('check', data);
  t.is(sound.code, '');
  t.regex(sound.out[0], /^\d+ segments, .* KiB, 41 readings, 0 gaps, offsets 2 to \d+$/);
  t.deepEqual(sound.out.slice(1), ['0 damaged places (0 B); nothing is lost']);
  const journal = join(data, 'journal');
  const names = (await readdir(journal)).sort();
  const path = join(journal, names[1]);
  const bytes = await readFile(path);
  const at = bytes.indexOf('"b":"');
  const lineAt = bytes.lastIndexOf(0x0a, at) + 1;
  const lineEnd = bytes.indexOf(0x0a, at);
  bytes[at + 20] ^= 1;
  await writeFile(path, bytes);
  const seq = Number(/"q":(\d+)/.exec(bytes.toString('latin1', lineAt, lineEnd))![1]);

  const damaged = await run('check', data, '--json');
  t.is(damaged.code, 'journal-damaged');
  const [damage, loss, { summary }] = damaged.out.map(line => JSON.parse(line));
  t.like(damage, { damage: 'line', segment: names[1], at: lineAt, bytes: lineEnd + 1 - lineAt });
  t.like(loss, { lost: '0102030405060708', from: [7, seq], to: [7, seq + 1] });
  t.like(summary, { readings: READINGS, damages: 1, losses: 1 });

  t.deepEqual(damage.offsets, [damage.looksLike[0].offset, damage.looksLike[0].offset + 1]);
  t.deepEqual(damage.looksLike, [{ offset: damage.offsets[0], device: '0102030405060708', epoch: 7, seq }]);
  t.deepEqual(loss.damages, [1, 1]);
  t.like(summary, { lostReadings: 1, lostDevices: 1, unknowns: 0 });
  const said = await run('check', data);
  t.regex(
    said.out[0],
    /^damage 1 in \d{20}\.jsonl, bytes \d+ to \d+ \(line\): fails its checksum; may cost offset \d+; looks like 0102030405060708 epoch 7 sequence \d+$/,
  );
  t.regex(
    said.out[1],
    /^lost: device 0102030405060708, epoch 7, sequence (\d+) to \1 \(damage 1; noticed at offset \d+\)$/,
  );
  t.regex(said.out[3], /^1 damaged place \(\d+ B\); lost: 1 readings of 1 devices in 1 range$/);

  const lock = await lockDirectory(data);
  const other = await mkdtemp(join(tmpdir(), 'sovereign-link-'));
  t.teardown(() => rm(other, { recursive: true, force: true }));
  await symlink(journal, join(other, 'linked'));
  for (const place of [data, journal, join(other, 'linked')]) {
    const refused = await run('repair', place);
    t.is(refused.code, 'data-locked');
    t.regex(refused.message, /a running gateway .* owns/);
  }
  t.is((await run('check', data)).code, 'journal-damaged');
  await lock.release();

  const repaired = await run('repair', data);
  t.is(repaired.code, '');
  t.is(repaired.out.length, 2);
  t.deepEqual(await readFile(join(journal, 'aside', names[1])), bytes);
  const after = await run('check', data, '--json');
  t.is(after.code, '');
  t.like(JSON.parse(after.out[after.out.length - 1]).summary, { readings: READINGS, damages: 0, losses: 1 });
  t.deepEqual((await run('repair', data)).out, ['nothing to repair']);
});

test('what stands beside the journal is looked at too, and is no reason for a status', async t => {
  const data = await dataDirectory(t);
  const storage = new NodeStorage();
  const cursor = await Cursor.open(storage, join(data, 'cursors'), 'uplink');
  await cursor.save(1_000_000);
  await cursor.save(1_000_001);
  await cursor.close();
  t.regex(
    (await run('check', data)).out[0],
    /uplink\.[ab] stands at offset 1000001, and the journal ends before \d+/,
  );
  await truncate(join(data, 'cursors', 'uplink.a'), 100);
  await mkdir(join(data, 'quarantine'));
  await writeFile(
    join(data, 'quarantine', 'intake-0000000001.jsonl'),
    `{"at":1}\n{"at":\n${'x'.repeat(600_000)}\n{"a`,
  );
  await mkdir(join(data, 'evidence'));
  await writeFile(join(data, 'evidence', '0102030405060708-1-1-0102030405060708.json'), '{"at"');
  const journal = join(data, 'journal');
  const [first] = await readdir(journal);
  await writeFile(join(journal, `${first}.repair`), 'half');
  await writeFile(join(journal, 'notes.txt'), 'mine');
  const { out, code } = await run('check', data, '--json');
  t.is(code, '');
  const told = out.map(line => JSON.parse(line));
  const names = told.map(({ store, leftOver }) => leftOver ?? store?.slice(data.length + 1));
  t.deepEqual(
    [...new Set(names)],
    [
      `${first}.repair`,
      'cursors/uplink.a',
      'quarantine/intake-0000000001.jsonl',
      'evidence/0102030405060708-1-1-0102030405060708.json',
      undefined,
    ],
  );
  t.regex(told.find(({ store }) => store?.includes('quarantine')).detail, /^[34] lines are damaged/);
  await run('repair', data);
  t.deepEqual(
    (await readdir(journal)).filter(name => !/^\d{20}\.jsonl$/.test(name)),
    ['notes.txt'],
  );
});

test('a place without a journal is named', async t => {
  const { code } = await run('check', tmpdir());
  t.is(code, 'journal-not-found');
  t.is((await run('cat', '/proc/version')).code, 'journal-not-readable');
});
