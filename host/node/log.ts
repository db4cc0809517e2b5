/**
 * The log goes to standard error, one line an event:
 *
 *   in a terminal     12:00:05 warn  keyring-not-taken file=… error="…"
 *   under journald    <4>keyring-not-taken file=… error="…"      (its own time; priority as sd-daemon(3) has it)
 *   otherwise         2026-11-21T12:00:05.123Z warn keyring-not-taken file=… error="…"
 */
import type { Log, LogFields } from '../ports.js';

export type Level = 'debug' | 'info' | 'warn' | 'error';

const LEVELS: Record<Level, { rank: number; priority: number; colour: string }> = {
  debug: { rank: 0, priority: 7, colour: '\u001b[90m' },
  info: { rank: 1, priority: 6, colour: '\u001b[36m' },
  warn: { rank: 2, priority: 4, colour: '\u001b[33m' },
  error: { rank: 3, priority: 3, colour: '\u001b[31m' },
};
const RESET = '\u001b[0m';

export interface LogOptions {
  readonly level: Level;
  readonly now: () => number;
  readonly write: (line: string) => void;
  readonly style: 'terminal' | 'terminal-plain' | 'journald' | 'plain';
}

/** A log of lines. Control characters in values are escaped: whoever sends a name can't write lines of his own. */
export function lineLog({ level, now, write, style }: LogOptions): Log {
  const least = LEVELS[level].rank;
  const log = (at: Level) => (event: string, fields?: LogFields) => {
    const { rank, priority, colour } = LEVELS[at];
    if (rank < least) return;
    const text = event + fieldsText(fields);
    const iso = () => new Date(now()).toISOString();
    if (style === 'journald') write(`<${priority}>${text}\n`);
    else if (style === 'plain') write(`${iso()} ${at} ${text}\n`);
    else {
      const word = at.padEnd(5);
      const time = new Date(now()).toTimeString().slice(0, 8);
      write(`${time} ${style === 'terminal' ? `${colour}${word}${RESET}` : word} ${text}\n`);
    }
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** The log of this process. A standard error that nobody reads any more costs the lines, not the process. */
export function systemLog(level: Level): Log {
  const { stderr, env } = process;
  stderr.on('error', () => {});
  const plain = env.NO_COLOR !== undefined && env.NO_COLOR !== '';
  const style = stderr.isTTY
    ? plain
      ? 'terminal-plain'
      : 'terminal'
    : env.JOURNAL_STREAM
      ? 'journald'
      : 'plain';
  return lineLog({ level, now: Date.now, write: line => void stderr.write(line), style });
}

/** Says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

const MAX_VALUE_LENGTH = 2000;

function fieldsText(fields: LogFields = {}): string {
  let text = '';
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) text += ` ${name}=${valueText(value)}`;
  return text;
}

function valueText(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const short = value.length > MAX_VALUE_LENGTH ? `${value.slice(0, MAX_VALUE_LENGTH)}…` : value;
  return /^[\w./:@%+,-]+$/.test(short) ? short : JSON.stringify(short).replace(CONTROL, escaped);
}

// C1 controls, line separators and overrides of the writing direction, which JSON leaves as they are.
const CONTROL = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
