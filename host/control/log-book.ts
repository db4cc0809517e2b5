/**
 * The log of a running process: keeps the last lines for whoever asks, tells them to whoever follows, and hands them on to be
 * written. The level can be changed at any time. What is secret stays out: fields that are named like a secret are hidden,
 * and so is every text that was declared to be one, wherever it turns up.
 */
import type { Log, LogControl, LogFields, LogLine } from '../ports.js';

type Level = LogLine['level'];

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** The event of lines that say who has told this process what: written whatever the level, also where that was what he told it. */
export const AUDIT = 'control';
const MAX_LINES = 500;
/** Letters of a value: what is cut off is nothing that a person would read. */
const MAX_VALUE_CHARS = 2000;
const SECRET_NAME = /^(password|passphrase|secret|token|key|chain|root|down)$/i;
const HIDDEN = '[hidden]';
/** Hiding shorter ones would hide parts of words, and tell where they stand. */
const MIN_SECRET_CHARS = 4;

export interface LogBookOptions {
  readonly level: Level;
  /** Unix ms. */
  readonly now: () => number;
  readonly write: (line: LogLine) => void;
}

export class LogBook implements Log, LogControl {
  level: Level;
  readonly #options: LogBookOptions;
  readonly #secrets = new Set<string>();
  readonly #followers = new Set<(line: LogLine) => void>();
  #lines: LogLine[] = [];

  constructor(options: LogBookOptions) {
    this.level = options.level;
    this.#options = options;
  }

  debug(event: string, fields?: LogFields): void {
    this.#say('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#say('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#say('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#say('error', event, fields);
  }

  /** This text never appears in the log, whatever error it is part of. */
  conceal(secret: string): void {
    if (secret.length >= MIN_SECRET_CHARS) this.#secrets.add(secret);
  }

  recent(count: number): readonly LogLine[] {
    return count === 0 ? [] : this.#lines.slice(-Math.min(count, MAX_LINES));
  }

  follow(listener: (line: LogLine) => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  #say(level: Level, event: string, fields: LogFields = {}): void {
    if (RANK[level] < RANK[this.level] && event !== AUDIT) return;
    const line: LogLine = { at: this.#options.now(), level, event, fields: this.#fit(fields) };
    this.#lines.push(line);
    if (this.#lines.length >= 2 * MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES);
    this.#options.write(line);
    for (const follower of this.#followers) follower(line);
  }

  #fit(fields: LogFields): LogFields {
    const fit: Record<string, string | number | boolean> = {};
    for (const [name, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      fit[name] = SECRET_NAME.test(name) ? HIDDEN : typeof value === 'string' ? this.#text(value) : value;
    }
    return fit;
  }

  #text(value: string): string {
    let text = value;
    for (const secret of this.#secrets) text = text.replaceAll(secret, HIDDEN);
    return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
  }
}
