/** `sovereign drain now`: the backlog goes to the broker without waiting. */
import type { Command } from 'commander';
import { Fault } from '../fault.js';
import { systemClock } from '../node/clock.js';
import { durationText } from '../texts.js';
import { ask } from './ask.js';
import {
  type ConfigOption,
  type JsonOption,
  outputOf,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import type { Output, Terminal } from './output.js';
import { backlogText, sayUplink } from './uplink-answer.js';

interface DrainOptions extends ConfigOption, JsonOption {
  readonly wait?: number;
}

const LOOK_MS = 500;
const MAX_WAIT_SECONDS = 7 * 86_400;

export function register(program: Command, terminal?: Terminal): void {
  const drain = program.command('drain').description('publish the backlog');
  withConfig(withJson(drain.command('now')))
    .description(
      'connect at once, and publish the backlog without uplink.replayPerSecond until nothing is left',
    )
    .option('--wait <seconds>', 'wait until nothing is left', wholeOption('--wait', 1, MAX_WAIT_SECONDS))
    .action((options: DrainOptions) => now(options, outputOf(options, terminal)));
}

async function now(options: DrainOptions, output: Output): Promise<void> {
  const answer = await ask(options, 'drain', {});
  if (options.wait !== undefined && !answer.drained) await drained(options, options.wait, output);
  await sayUplink(output, options.wait === undefined ? answer : { ...answer, ...(await standing(options)) });
}

/** @throws Fault `not-drained` */
async function drained(options: DrainOptions, seconds: number, output: Output): Promise<void> {
  const until = systemClock.monotonic() + seconds * 1000;
  for (;;) {
    const { uplink } = await ask(options, 'status', {});
    if (uplink === undefined || uplink.drained) break;
    const left = backlogText(uplink.backlog);
    if (systemClock.monotonic() >= until)
      throw new Fault(
        'not-drained',
        `after ${seconds} s, ${left}${uplink.fault === undefined ? '' : `: ${uplink.fault}`}`,
        'it goes on by itself; sovereign status tells how far it is',
      );
    const { drainedInSeconds } = uplink;
    output.progress(
      drainedInSeconds === undefined ? left : `${left}, about ${durationText(drainedInSeconds * 1000)}`,
    );
    await new Promise<void>(resolve => systemClock.after(LOOK_MS, resolve));
  }
  output.progress('');
}

async function standing(options: DrainOptions) {
  const { uplink } = await ask(options, 'status', {});
  if (uplink === undefined) return {};
  const { state, paused, drained, backlog } = uplink;
  return { state, paused, drained, backlog };
}
