/** `sovereign log`: the level of the running gateway's log, and its lines. */
import { Argument, type Command } from 'commander';
import { LOG_LEVELS, type LogLevel, MAX_RECENT_LINES } from '../control/calls.js';
import { lineWriter } from '../node/log.js';
import type { LogLine } from '../ports.js';
import { ask, follow } from './ask.js';
import {
  type ConfigOption,
  type JsonOption,
  outputOf,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import type { Output, Terminal } from './output.js';

const DEFAULT_RECENT = 20;

export function register(program: Command, terminal?: Terminal): void {
  const log = program.command('log').description("the running gateway's log");
  withConfig(withJson(log.command('level')))
    .description('show the least that is logged, or set it until the next start of the gateway')
    .addArgument(new Argument('[level]').choices(LOG_LEVELS))
    .action((wanted: LogLevel | undefined, options: ConfigOption & JsonOption) =>
      level(wanted, options, outputOf(options, terminal)),
    );
  withConfig(withJson(log.command('follow')))
    .description('print the last lines, and those that come, until it is stopped')
    .option(
      '--recent <lines>',
      'lines that have been',
      wholeOption('--recent', 0, MAX_RECENT_LINES),
      DEFAULT_RECENT,
    )
    .action((options: ConfigOption & JsonOption & { recent: number }) =>
      lines(options, outputOf(options, terminal)),
    );
}

async function level(
  wanted: LogLevel | undefined,
  options: ConfigOption & JsonOption,
  output: Output,
): Promise<void> {
  if (wanted !== undefined) {
    const answer = await ask(options, 'log-level', { level: wanted });
    return output.json
      ? output.object(answer)
      : output.line(`log level ${answer.level}, before ${answer.before}`);
  }
  const { log } = await ask(options, 'status', {});
  return output.json ? output.object({ level: log?.level }) : output.line(log?.level ?? 'unknown');
}

async function lines(options: ConfigOption & JsonOption & { recent: number }, output: Output): Promise<void> {
  await follow(
    options,
    'log',
    { recent: options.recent },
    {
      item: line => (output.json ? output.object(line) : output.line(textOf(line))),
      lost: count => output.note(`${count} lines came too fast and are left out`),
    },
  );
}

/** As the gateway itself writes text. */
function textOf(line: LogLine): string {
  let text = '';
  lineWriter('text', piece => {
    text += piece;
  })(line);
  return text.trimEnd();
}
