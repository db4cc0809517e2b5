import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import { Kind, label, Sealer } from '../../../firmware/seal/index.js';
import { register } from '../../../host/cli/journal.js';
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

async function run(...args: string[]): Promise<{ out: string[]; err: string[]; code: string }> {
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
  let code = '';
  try {
    await program.parseAsync(['journal', ...args], { from: 'user' });
  } catch (error) {
    code = (error as { code: string }).code;
  }
  const lines = (text: string) => text.split('\n').filter(line => line !== '');
  return { out: lines(said.out), err: lines(said.err), code };
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

  const lock = await lockDirectory(data);
  t.is((await run('repair', data)).code, 'data-locked');
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

test('a place without a journal is named', async t => {
  const { code } = await run('check', tmpdir());
  t.is(code, 'journal-not-found');
  t.is((await run('cat', '/proc/version')).code, 'journal-not-readable');
});
