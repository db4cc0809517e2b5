/** `sovereign journal check|cat|repair DIR`: looks into a journal on disk. */
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { Fault, systemCode } from '../fault.js';
import { type WalkSummary, walk } from '../journal/check.js';
import type { Damage, Entry, GapEntry } from '../journal/entry.js';
import { segmentsIn } from '../journal/names.js';
import { repair } from '../journal/repair.js';
import { lockDirectory } from '../node/lock.js';
import { NodeStorage } from '../node/storage.js';
import { type JsonOption, outputOf, wholeOption, withJson } from './context.js';
import { Describer } from './journal/describe.js';
import { bytesText, type Output, printable, type Terminal } from './output.js';

const storage = new NodeStorage();

interface CatOption extends JsonOption {
  readonly from: number;
}

export function register(program: Command, terminal?: Terminal): void {
  const journal = program.command('journal').description("look into a gateway's journal, or mend it");
  const where = 'data directory of a gateway, or its journal directory, or a copy of either';
  withJson(journal.command('check'))
    .description('name each damaged byte range and what it costs; status 1 when there is any')
    .argument('<dir>', where)
    .action((dir: string, options: JsonOption) => check(dir, outputOf(options, terminal)));
  withJson(journal.command('cat'))
    .description('print the durable entries, oldest first')
    .argument('<dir>', where)
    .option('--from <offset>', 'begin at this offset', wholeOption('--from', 0, Number.MAX_SAFE_INTEGER), 0)
    .action((dir: string, options: CatOption) => cat(dir, options.from, outputOf(options, terminal)));
  withJson(journal.command('repair'))
    .description('take the damage out of segments; the damaged originals are moved aside, never deleted')
    .argument('<dir>', where)
    .action((dir: string, options: JsonOption) => mend(dir, outputOf(options, terminal)));
}

interface Place {
  journal: string;
  data: string;
}

/** @throws Fault `journal-not-found` when there is no segment in either place */
async function find(dir: string): Promise<Place> {
  const given = resolve(dir);
  try {
    const names = await storage.list(given);
    if (names.includes('journal') && segmentsIn(await storage.list(`${given}/journal`)).length > 0) {
      return { journal: `${given}/journal`, data: given };
    }
    if (segmentsIn(names).length > 0) {
      return { journal: given, data: basename(given) === 'journal' ? dirname(given) : given };
    }
  } catch (error) {
    throw new Fault(
      'journal-not-readable',
      `can't read ${given}: ${systemCode(error) || String(error)}`,
      'name a directory that this user may read',
      error,
    );
  }
  throw new Fault(
    'journal-not-found',
    `there is no journal in ${given}`,
    "name a gateway's data directory, or the directory with its .jsonl segments",
  );
}

async function check(dir: string, output: Output): Promise<void> {
  const { journal } = await find(dir);
  let seen = 0;
  const summary = await walk(storage, journal, 0, {
    entry: () => {
      if (++seen % 10_000 === 0) output.progress(`${seen} entries`);
    },
    damage: damage => sayDamage(output, damage),
    loss: gap => sayLoss(output, gap),
  });
  output.progress('');
  await saySummary(output, summary);
  if (summary.damages > 0 || summary.losses > 0) {
    throw new Fault(
      'journal-damaged',
      `the journal in ${journal} has ${summary.damages} damaged places and lost ${summary.losses} ranges of readings`,
      'everything else is served as it is; sovereign journal repair moves the damaged segments aside',
    );
  }
}

async function cat(dir: string, from: number, output: Output): Promise<void> {
  const { journal } = await find(dir);
  const describer = new Describer();
  await walk(storage, journal, from, {
    entry: entry =>
      output.json ? output.object(asJson(entry, describer)) : output.line(asLine(entry, describer)),
    damage: damage => output.note(damageText(damage)),
    loss: gap => output.note(lossText(gap)),
  });
}

async function mend(dir: string, output: Output): Promise<void> {
  const { journal, data } = await find(dir);
  const lock = await lockDirectory(data);
  try {
    let segments = 0;
    await repair(storage, journal, async done => {
      segments++;
      const { segment, movedTo, blankedBytes } = done;
      if (output.json) await output.object({ repaired: segment, movedTo, blankedBytes });
      else await output.line(`${segment}: ${bytesText(blankedBytes)} taken out; the original is ${movedTo}`);
    });
    if (segments === 0 && !output.json) await output.line('nothing to repair');
  } finally {
    await lock.release();
  }
}

function sayDamage(output: Output, damage: Damage): Promise<void> {
  const { reason, segment, at, bytes, detail } = damage;
  if (output.json) return output.object({ damage: reason, segment, at, bytes, detail });
  return output.line(damageText(damage));
}

function sayLoss(output: Output, gap: GapEntry): Promise<void> {
  const { device, from, to, offset } = gap;
  if (output.json) return output.object({ lost: device, from, to, noticedAt: offset });
  return output.line(lossText(gap));
}

function damageText({ reason, segment, at, bytes, detail }: Damage): string {
  const range = bytes > 0 ? ` bytes ${at} to ${at + bytes - 1}` : '';
  return `damage (${reason}) in ${segment}${range}: ${detail}`;
}

function lossText({ device, from, to, offset }: GapEntry): string {
  const [epoch, seq] = from;
  const range =
    epoch === to[0]
      ? `epoch ${epoch}, sequence ${seq} to ${to[1] - 1}`
      : `from epoch ${epoch}, sequence ${seq} up to epoch ${to[0]}, sequence ${to[1]}`;
  return `lost: device ${device}, ${range} (noticed at offset ${offset})`;
}

async function saySummary(output: Output, summary: WalkSummary): Promise<void> {
  if (output.json) return output.object({ summary });
  const { segments, readings, gaps, damages, losses, unprovenBytes } = summary;
  await output.line(
    `${segments} segments, ${readings} readings, ${gaps} gaps; ${damages} damaged places, ${losses} losses`,
  );
  if (unprovenBytes > 0) {
    await output.line(
      `${bytesText(unprovenBytes)} at the end are not known to be synced; the gateway writes them anew when it starts`,
    );
  }
}

function asJson(entry: Entry, describer: Describer): Record<string, unknown> {
  const { kind, offset, at, link, device } = entry;
  if (entry.kind === 'gap') return { kind, offset, at, link, device, from: entry.from, to: entry.to };
  const { epoch, seq, final, bytes } = entry;
  return {
    ...{ kind, offset, at, link, device, epoch, seq },
    ...(final ? { final } : {}),
    ...describer.describe(bytes),
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url'),
  };
}

function asLine(entry: Entry, describer: Describer): string {
  const { offset, at, link, device } = entry;
  const time = new Date(at).toISOString();
  if (entry.kind === 'gap') return printable(`${offset} ${time} ${lossText(entry)} (${link})`);
  const { epoch, seq, bytes } = entry;
  return printable(`${offset} ${time} ${device} ${epoch}.${seq} ${describer.text(bytes)} (${link})`);
}
