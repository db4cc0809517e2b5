/**
 * The log goes to standard error, one line an event:
 *
 *   in a terminal     12:00:05 warn  keyring-not-taken file=… error="…"
 *   under journald    <4>keyring-not-taken file=… error="…"      (its own time; priority as sd-daemon(3) has it)
 *   as text           2026-11-21T12:00:05.123Z warn keyring-not-taken file=… error="…"
 *   as JSON           {"level":"warn","time":"2026-11-21T12:00:05.123Z","event":"keyring-not-taken","file":"…",…}
 *
 * `log.format: json` makes it JSON everywhere; journald still gets its `<4>` before it, and takes it off.
 */
import { fstatSync } from 'node:fs';
import { pino } from 'pino';
import { LogBook } from '../control/log-book.js';
import type { Log, LogLine } from '../ports.js';

export type Level = LogLine['level'];
export type Format = 'auto' | 'text' | 'json';
export type Style = 'terminal' | 'terminal-plain' | 'journald' | 'text' | 'json' | 'journald-json';

const LEVELS: Record<Level, { priority: number; colour: string }> = {
  debug: { priority: 7, colour: '\u001b[90m' },
  info: { priority: 6, colour: '\u001b[36m' },
  warn: { priority: 4, colour: '\u001b[33m' },
  error: { priority: 3, colour: '\u001b[31m' },
};
const RESET = '\u001b[0m';

/** Writes lines in a style. Control characters in values are escaped: whoever sends a name can't write lines of his own. */
export function lineWriter(style: Style, write: (text: string) => void): (line: LogLine) => void {
  switch (style) {
    case 'json':
      return jsonWriter(write);
    case 'journald-json': {
      let priority = '';
      const json = jsonWriter(text => write(priority + text));
      return line => {
        priority = priorityOf(line);
        json(line);
      };
    }
    case 'journald':
      return line => write(`${priorityOf(line)}${textOf(line)}\n`);
    case 'text':
      return line => write(`${new Date(line.at).toISOString()} ${line.level} ${textOf(line)}\n`);
    default:
      return line => write(`${terminalHead(line, style === 'terminal')} ${textOf(line)}\n`);
  }
}

export interface SystemLogOptions {
  readonly level: Level;
  /** `auto`: text for people and for journald, JSON otherwise. */
  readonly format: Format;
}

/** The log of this process. A standard error that nobody reads any more costs the lines, not the process. */
export function systemLog({ level, format }: SystemLogOptions): LogBook {
  const { stderr, env } = process;
  stderr.on('error', () => {});
  const plain = env.NO_COLOR !== undefined && env.NO_COLOR !== '';
  const terminal = plain ? 'terminal-plain' : 'terminal';
  const style = styleOf(format, {
    terminal: stderr.isTTY ? terminal : undefined,
    journald: isJournal(env.JOURNAL_STREAM),
  });
  return new LogBook({ level, now: Date.now, write: lineWriter(style, text => void stderr.write(text)) });
}

function styleOf(
  format: Format,
  where: { readonly terminal: Style | undefined; readonly journald: boolean },
): Style {
  if (format === 'json') return where.journald && where.terminal === undefined ? 'journald-json' : 'json';
  if (where.terminal !== undefined) return where.terminal;
  if (where.journald) return 'journald';
  return format === 'text' ? 'text' : 'json';
}

/** Whether standard error is what systemd says that it has connected to the journal: children inherit the word, not the stream. */
function isJournal(stream = ''): boolean {
  try {
    const { dev, ino } = fstatSync(process.stderr.fd);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** Says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function jsonWriter(write: (text: string) => void): (line: LogLine) => void {
  let at = 0;
  const logger = pino(
    {
      level: 'debug', // the book has decided what is logged
      base: null,
      timestamp: () => `,"time":"${new Date(at).toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
    },
    { write: text => write(text.replace(CONTROL, escaped)) },
  );
  return line => {
    at = line.at;
    logger[line.level]({ event: line.event, ...line.fields });
  };
}

const priorityOf = ({ level }: LogLine) => `<${LEVELS[level].priority}>`;

function terminalHead({ at, level }: LogLine, coloured: boolean): string {
  const word = level.padEnd(5);
  return `${new Date(at).toTimeString().slice(0, 8)} ${coloured ? LEVELS[level].colour + word + RESET : word}`;
}

/** The event and its fields. */
function textOf({ event, fields }: LogLine): string {
  let text = event;
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) text += ` ${name}=${valueText(value)}`;
  return text;
}

function valueText(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return /^[\w./:@%+,-]+$/.test(value) ? value : JSON.stringify(value).replace(CONTROL, escaped);
}

// C1 controls, line separators and overrides of the writing direction, which JSON leaves as they are.
const CONTROL = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
