/** `sovereign journal check|cat|repair DIR`: looks into a journal on disk. */
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { Fault, systemCode } from '../fault.js';
import { isDamaged, walk } from '../journal/check.js';
import type { Entry } from '../journal/entry.js';
import { ASIDE, isLeftOver, segmentsIn } from '../journal/names.js';
import { repair } from '../journal/repair.js';
import { lockDirectory } from '../node/lock.js';
import { NodeStorage, realPath } from '../node/storage.js';
import { bytesText } from '../texts.js';
import { type JsonOption, outputOf, wholeOption, withJson } from './context.js';
import { Describer } from './journal/describe.js';
import {
  damageObject,
  damageText,
  faultText,
  handoverText,
  lossObject,
  lossText,
  repairObject,
  repairText,
  summaryTexts,
  unknownObject,
  unknownText,
} from './journal/report.js';
import { checkStores } from './journal/stores.js';
import { type Output, printable, type Terminal } from './output.js';

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
  let given = resolve(dir);
  try {
    // The lock lies beside the journal itself, not beside a link to it.
    given = await realPath(given);
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
  const { journal, data } = await find(dir);
  const summary = await walk(storage, journal, 0, {
    progress: (index, count, { readings }) =>
      output.progress(`segment ${index + 1} of ${count}, ${readings} readings`),
    damage: range => say(output, damageObject(range), () => damageText(range)),
    loss: (gap, cause) => say(output, lossObject(gap, cause), () => lossText(gap, cause)),
    unknown: loss => say(output, unknownObject(loss), () => unknownText(loss)),
    torn: (segment, at, bytes) =>
      say(
        output,
        { torn: segment, at, bytes },
        () =>
          `not synced in ${segment}, bytes ${at} to ${at + bytes - 1}: can't be read; normal after a crash`,
      ),
  });
  output.progress('');
  for (const name of await leftOvers(journal)) {
    const detail = 'a repair was stopped; sovereign journal repair goes on with it';
    await say(output, { leftOver: name, detail }, () => `left over: ${name}: ${detail}`);
  }
  await checkStores(storage, data, summary.endOffset, ({ file, detail }) =>
    say(output, { store: file, detail }, () => `beside the journal: ${file} ${detail}`),
  );
  if (output.json) await output.object({ summary });
  else for (const line of summaryTexts(summary)) await output.line(line);
  if (!isDamaged(summary)) return;
  throw new Fault(
    'journal-damaged',
    faultText(journal, summary),
    'everything else is served as it is; sovereign journal repair (with the gateway stopped, or on a copy) moves the damaged segments aside',
  );
}

async function leftOvers(journal: string): Promise<string[]> {
  return (await storage.list(journal)).filter(isLeftOver);
}

function say(output: Output, object: Record<string, unknown>, text: () => string): Promise<void> {
  return output.json ? output.object(object) : output.line(printable(text()));
}

async function cat(dir: string, from: number, output: Output): Promise<void> {
  const { journal } = await find(dir);
  const describer = new Describer();
  await walk(storage, journal, from, {
    entry: entry =>
      output.json ? output.object(asJson(entry, describer)) : output.line(asLine(entry, describer)),
    damage: range => output.note(damageText(range)),
    loss: (gap, cause) => output.note(lossText(gap, cause)),
  });
}

async function mend(dir: string, output: Output): Promise<void> {
  const { journal, data } = await find(dir);
  const lock = await lockDirectory(data).catch(error => {
    throw inUse(error, data);
  });
  try {
    let done = 0;
    let movedBytes = 0;
    await repair(
      storage,
      journal,
      async step => {
        done++;
        if (step.kind === 'mended') movedBytes += step.bytes;
        await say(output, repairObject(step), () => repairText(step));
      },
      (index, count) => output.progress(`segment ${index + 1} of ${count}`),
    );
    output.progress('');
    if (output.json) return;
    if (done === 0) await output.line('nothing to repair');
    else if (movedBytes > 0) {
      await output.line(
        `the originals, ${bytesText(movedBytes)}, stay in ${journal}/${ASIDE} until somebody removes them`,
      );
    }
  } finally {
    await lock.release();
  }
}

function inUse(error: unknown, data: string): unknown {
  if (!(error instanceof Fault) || error.code !== 'data-locked') return error;
  return new Fault(
    error.code,
    `a running gateway (or another repair) owns ${data}: what it writes can't be repaired at the same time`,
    `stop it first (fuser ${data}/lock names it), or repair a copy: cp -r ${data} COPY; sovereign journal repair COPY`,
    error,
  );
}

function asJson(entry: Entry, describer: Describer): Record<string, unknown> {
  if (entry.kind === 'handover') return { ...entry };
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
  const { offset, at } = entry;
  const time = new Date(at).toISOString();
  if (entry.kind === 'handover') return `${offset} ${time} ${handoverText(entry)}`;
  const { link, device } = entry;
  if (entry.kind === 'gap') return printable(`${offset} ${time} ${lossText(entry)} (${link})`);
  const { epoch, seq, bytes } = entry;
  return printable(`${offset} ${time} ${device} ${epoch}.${seq} ${describer.text(bytes)} (${link})`);
}
