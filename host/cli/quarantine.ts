/** `sovereign quarantine`: what the gates have refused, and another chance for it. */
import type { Command } from 'commander';
import {
  MAX_LIST,
  type QuarantineDetail,
  type QuarantineItem,
  type QuarantineRelease,
} from '../control/calls.js';
import { Fault } from '../fault.js';
import { ask } from './ask.js';
import {
  type ConfigOption,
  type JsonOption,
  outputOf,
  usageFault,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import { type Output, printable, type Terminal } from './output.js';

interface ListOptions extends ConfigOption, JsonOption {
  readonly limit: number;
  readonly reason?: string;
}

interface ReleaseOptions extends ConfigOption, JsonOption {
  readonly reason?: string;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_000_000;

export function register(program: Command, terminal?: Terminal): void {
  const quarantine = program.command('quarantine').description('bytes that failed a gate, as they were kept');
  withConfig(withJson(quarantine.command('list')))
    .description('what is kept, newest first')
    .option('--limit <items>', 'how many', wholeOption('--limit', 1, MAX_LIMIT), DEFAULT_LIMIT)
    .option('--reason <reason>', 'only those refused for this, such as unknown-device or mac')
    .action((options: ListOptions) => list(options, outputOf(options, terminal)));
  withConfig(withJson(quarantine.command('show')))
    .description('one of them with its bytes, and what the gates say of it now')
    .argument('<id>', 'as list names it')
    .action((id: string, options: ConfigOption & JsonOption) =>
      show(id, options, outputOf(options, terminal)),
    );
  withConfig(withJson(quarantine.command('release')))
    .description(
      'put them through the gates again, oldest first: after a device was added to the keyring, say',
    )
    .argument('[ids...]', 'as list names them')
    .option('--reason <reason>', 'all that were refused for this, such as unknown-device')
    .action((ids: string[], options: ReleaseOptions) => release(ids, options, outputOf(options, terminal)));
}

/** Newest first, in as many calls as it takes. */
async function* items(options: ConfigOption, limit: number, reason?: string): AsyncIterable<QuarantineItem> {
  let after: string | undefined;
  for (let left = limit; left > 0; ) {
    const page = await ask(options, 'quarantine-list', {
      limit: Math.min(left, MAX_LIST),
      ...(after !== undefined && { after }),
      ...(reason !== undefined && { reason }),
    });
    yield* page.items;
    left -= page.items.length;
    after = page.items.at(-1)?.id;
    if (!page.more) return;
  }
}

async function list({ limit, reason, ...options }: ListOptions, output: Output): Promise<void> {
  const found: QuarantineItem[] = [];
  for await (const item of items(options, limit, reason)) {
    if (output.json) await output.object(item);
    else found.push(item);
  }
  if (output.json) return;
  if (found.length === 0) return output.line('nothing is in quarantine');
  await output.table(
    [
      { title: 'ID' },
      { title: 'TIME' },
      { title: 'REASON' },
      { title: 'DEVICE' },
      { title: 'BYTES', align: 'right' },
      { title: 'LINK' },
      { title: 'DETAIL' },
    ],
    found.map(({ id, at, reason: why, device, name, bytes, link, detail }) => [
      id,
      new Date(at).toISOString(),
      printable(why),
      printable(name ?? device ?? '-'),
      String(bytes),
      printable(link),
      printable(detail ?? ''),
    ]),
  );
}

async function show(id: string, options: ConfigOption, output: Output): Promise<void> {
  const item = await ask(options, 'quarantine-show', { id });
  if (output.json) return output.object(item);
  for (const [title, value] of rows(item))
    await output.line(`${output.style('dim', title.padEnd(10))} ${printable(value)}`);
}

function rows(item: QuarantineDetail): [title: string, value: string][] {
  const { claims } = item;
  return [
    ['id', item.id],
    ['time', new Date(item.at).toISOString()],
    ['reason', item.detail === undefined ? item.reason : `${item.reason}: ${item.detail}`],
    ['link', item.link],
    ['device', item.device === undefined ? '-' : `${item.device} ${item.name ?? ''}`.trimEnd()],
    [
      'claims',
      claims === undefined ? '-' : `device ${claims.device}, epoch ${claims.epoch}, sequence ${claims.seq}`,
    ],
    ['gates now', item.now === '' ? 'would take it: sovereign quarantine release' : `refuse it: ${item.now}`],
    ['bytes', String(item.bytes)],
    ['', item.hex],
  ];
}

/** `gone`: it was there when the list was made. */
type Released = Omit<QuarantineRelease, 'outcome'> & {
  readonly outcome: QuarantineRelease['outcome'] | 'gone';
};

const OUTCOMES: Record<Released['outcome'], string> = {
  journalled: 'taken: it is durable in the journal',
  waiting: 'taken: it waits for the disk',
  known: 'the journal had it before',
  early: 'not taken: readings before it are missing, and may still come from the device',
  evidence: 'it contradicts what the journal holds: kept as evidence',
  refused: 'still refused',
  busy: 'not taken: the disk takes nothing at the moment; try again',
  gone: 'no longer kept: the oldest go when there are too many',
};

async function release(
  given: string[],
  { reason, ...options }: ReleaseOptions,
  output: Output,
): Promise<void> {
  if (given.length === 0 && reason === undefined)
    throw usageFault('release: expected ids, or --reason', 'sovereign quarantine list names both');
  const wanted = new Set(given);
  if (reason !== undefined) for await (const { id } of items(options, MAX_LIMIT, reason)) wanted.add(id);
  const ids = [...wanted].sort(older);
  let refused = 0;
  for (const id of ids) {
    const answer: Released = await ask(options, 'quarantine-release', { id }).catch(error => {
      // What others send meanwhile drives out the oldest; the rest is released all the same.
      if (error.code !== 'quarantine-unknown' || given.includes(id)) throw error;
      return { id, outcome: 'gone' as const };
    });
    if (NOT_TAKEN.has(answer.outcome)) refused += 1;
    await (output.json ? output.object(answer) : output.line(`${id}: ${releaseText(answer)}`));
  }
  if (ids.length === 0) await output.note('nothing is in quarantine for this reason');
  if (refused > 0)
    throw new Fault(
      'not-released',
      `${refused} of ${ids.length} were not taken`,
      'quarantine show ID tells why',
    );
}

const NOT_TAKEN: ReadonlySet<Released['outcome']> = new Set(['refused', 'busy', 'gone']);

function releaseText({ outcome, reason, device, epoch, seq }: Released): string {
  const which = device === undefined ? '' : `${device} ${epoch}/${seq}: `;
  return `${which}${OUTCOMES[outcome]}${reason === undefined ? '' : ` (${printable(reason)})`}`;
}

/** Ids rise with time: the number of the file, and the place in it. */
function older(a: string, b: string): number {
  const [fileA, atA] = a.split('-').map(Number);
  const [fileB, atB] = b.split('-').map(Number);
  return fileA - fileB || atA - atB;
}
