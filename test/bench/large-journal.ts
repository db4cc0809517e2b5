/**
 * By hand: a journal as large as a disk allows, to see what the tools take for it.
 *
 *   node build/test/bench/large-journal.js build DIR GIB [BYTES]  with the gateway's own writer; goes on with what is there
 *   node build/test/bench/large-journal.js damage DIR PLACES      flips, zeroed pages, cuts, all over the segments
 *   node build/test/bench/large-journal.js ruin DIR GIB           every second line in as much of it
 *
 * Then `/usr/bin/time -v node dist/sovereign.mjs journal check DIR`, and `repair`.
 */
import { open, readdir, stat, truncate } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ReadingEntry } from '../../host/journal/entry.js';
import { Journal } from '../../host/journal/journal.js';
import { systemClock } from '../../host/node/clock.js';
import { silentLog } from '../../host/node/log.js';
import { NodeStorage } from '../../host/node/storage.js';

const DEVICES = 50;
/** Of an envelope; two records take as much. */
const USUAL_BYTES = 130;
const EPOCH_READINGS = 65_536;
const GIB = 2 ** 30;

function reading(index: number, size: number): ReadingEntry {
  const number = Math.floor(index / DEVICES);
  const device = (index % DEVICES).toString(16).padStart(16, '0');
  const [epoch, seq] = [Math.floor(number / EPOCH_READINGS), number % EPOCH_READINGS];
  const bytes = Buffer.alloc(size, index & 0xff);
  bytes[0] = 0x84;
  bytes[1] = 0x4d;
  bytes.writeUInt32BE(index >>> 0, size - 32);
  const tag8 = bytes.toString('hex', size - 32, size - 24);
  return {
    ...{ kind: 'reading', at: 1_780_000_000_000 + index, link: 'tcp:192.0.2.7', device, epoch, seq },
    ...{ bytes, tag8, final: seq === EPOCH_READINGS - 1, offset: -1 },
  };
}

async function build(data: string, bytes: number, envelopeBytes: number): Promise<void> {
  const ports = { storage: new NodeStorage(), clock: systemClock, log: silentLog };
  const directory = join(data, 'journal');
  await ports.storage.ensureDirectory(directory);
  let written = 0;
  for (const name of await readdir(directory)) written += (await stat(join(directory, name))).size;
  const journal = await Journal.open(ports, { directory });
  let index = 0;
  for (const { readings } of journal.positions.values()) index += readings;
  let full: (() => void) | undefined;
  journal.onDurable(batch => {
    written += batch.length * (Math.ceil((envelopeBytes * 4) / 3) + 110);
    full?.();
  });
  while (written < bytes) {
    while (journal.append(reading(index, envelopeBytes))) index++;
    await new Promise<void>(resolve => {
      full = resolve;
    });
  }
  await journal.close();
  process.stdout.write(`${index} readings\n`);
}

/** Scatters damage; what has been done is printed. */
async function damage(data: string, places: number): Promise<void> {
  const directory = join(data, 'journal');
  const segments = (await readdir(directory)).filter(name => name.endsWith('.jsonl')).sort();
  let seed = 12345;
  const chance = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
  const counts = { flip: 0, page: 0, cut: 0 };
  for (let i = 0; i < places; i++) {
    const path = join(directory, segments[chance(segments.length)]);
    const { size } = await stat(path);
    const at = chance(size);
    const way = chance(20);
    if (way === 0) {
      await truncate(path, Math.max(at, size - 100_000));
      counts.cut++;
      continue;
    }
    const file = await open(path, 'r+');
    if (way < 7) {
      await file.write(Buffer.alloc(4096), 0, Math.min(4096, size - at), at - (at % 4096));
      counts.page++;
    } else {
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, at);
      byte[0] ^= 1 << chance(8);
      await file.write(byte, 0, 1, at);
      counts.flip++;
    }
    await file.close();
  }
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}

/** Flips a bit in every second line of the first bytes, so that no two damaged ranges touch. */
async function ruin(data: string, bytes: number): Promise<void> {
  const directory = join(data, 'journal');
  let left = bytes;
  let lines = 0;
  for (const name of (await readdir(directory)).filter(n => n.endsWith('.jsonl')).sort()) {
    if (left <= 0) break;
    const file = await open(join(directory, name), 'r+');
    const content = await file.readFile();
    for (let at = 0, line = 0; at < content.length; line++) {
      const end = content.indexOf(0x0a, at);
      if (line % 2 === 1 && end > at) {
        content[at + 1] ^= 1;
        lines++;
      }
      at = end < 0 ? content.length : end + 1;
    }
    await file.write(content, 0, content.length, 0);
    await file.close();
    left -= content.length;
  }
  process.stdout.write(`${lines} lines\n`);
}

const [command, directory = '', amount = '0', bytes = `${USUAL_BYTES}`] = process.argv.slice(2);
const data = resolve(directory);
if (command === 'build') await build(data, Number(amount) * GIB, Number(bytes));
else if (command === 'damage') await damage(data, Number(amount));
else if (command === 'ruin') await ruin(data, Number(amount) * GIB);
else process.stderr.write('build DIR GIB [BYTES] | damage DIR PLACES | ruin DIR GIB\n');
