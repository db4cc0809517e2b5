/**
 * What commands say. Data goes to standard output: JSON lines with `--json`, plain lines in a pipe, aligned and
 * coloured on a terminal (NO_COLOR is respected). Everything else, progress too, goes to standard error.
 */
import { styleText } from 'node:util';
import { Fault } from '../fault.js';

export interface TextSink {
  readonly terminal: boolean;
  readonly columns: number;
  /** Resolves when the text was handed to the kernel: who waits for it never queues without bound. */
  write(text: string): Promise<void>;
}

/** What a process has to say things with; `host/node/terminal.ts` is the real one. */
export interface Terminal {
  readonly out: TextSink;
  readonly err: TextSink;
  environment(name: string): string | undefined;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

const CLEAR_LINE = '\r\u001b[K';

export class Output {
  /** `--json` was given. */
  readonly json: boolean;
  /** People read it at a terminal. */
  readonly pretty: boolean;
  readonly #terminal: Terminal;
  readonly #colours: boolean;
  #progress = '';

  constructor(terminal: Terminal, options: { readonly json?: boolean | undefined } = {}) {
    this.#terminal = terminal;
    this.json = options.json === true;
    this.pretty = terminal.out.terminal && !this.json;
    const wish = terminal.environment('NO_COLOR');
    this.#colours = (wish === undefined || wish === '') && terminal.environment('TERM') !== 'dumb';
  }

  /** Whether progress is shown: standard error is a terminal. */
  get interactive(): boolean {
    return this.#terminal.err.terminal;
  }

  /** Letters of a terminal that the text takes. */
  get columns(): number {
    return this.#terminal.out.columns;
  }

  /**
   * One line of data. Rejects with the Fault `output-closed` when nobody reads any more (`… | head`); who does
   * not wait loses nothing but that news.
   */
  line(text: string): Promise<void> {
    return this.#write(this.#terminal.out, `${text}\n`);
  }

  /** One object as one line of JSON. */
  object(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** One line for people, on standard error. */
  note(text: string): Promise<void> {
    return this.#write(this.#terminal.err, `${text}\n`);
  }

  /** The one line that is written over again; nothing where standard error is no terminal. '' takes it away. */
  progress(text: string): void {
    if (!this.interactive) return;
    const shown = clip(text, this.#terminal.err.columns - 1);
    if (shown === this.#progress) return;
    this.#progress = shown;
    quiet(this.#terminal.err.write(CLEAR_LINE + shown));
  }

  /** The text in a style where it goes to a terminal that shows colours. */
  style(style: Style, text: string): string {
    return this.pretty && this.#colours ? styled(style, text) : text;
  }

  /** Rows under titles: aligned at a terminal; tabs between and no titles in a pipe. Cells may be styled. */
  async table(columns: readonly Column[], rows: readonly (readonly string[])[]): Promise<void> {
    if (!this.pretty) {
      for (const row of rows) await this.line(row.map(plain).join('\t'));
      return;
    }
    const widths = columns.map((column, i) =>
      rows.reduce((width, row) => Math.max(width, plain(row[i] ?? '').length), column.title.length),
    );
    const render = (cells: readonly string[]) =>
      cells
        .map((cell, i) => {
          const fill = ' '.repeat(Math.max(0, widths[i] - plain(cell).length));
          if (columns[i].align === 'right') return fill + cell;
          return i === columns.length - 1 ? cell : cell + fill;
        })
        .join('  ');
    await this.line(this.style('dim', render(columns.map(column => column.title))));
    for (const row of rows) await this.line(render(row));
  }

  #write(sink: TextSink, text: string): Promise<void> {
    const shown = this.#progress;
    // The progress line gives way and comes back below.
    const whole = shown !== '' && sink.terminal ? `${CLEAR_LINE}${text}` : text;
    const written = sink.write(whole).catch(error => {
      throw new Fault('output-closed', 'the output is not read any more', '', error);
    });
    quiet(written);
    if (shown !== '' && sink.terminal) quiet(this.#terminal.err.write(shown));
    return written;
  }
}

/**
 * Text from outside as it may stand in a line: no control characters, so that a device's name can't move the
 * cursor, change colours or begin a line.
 */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be replaced
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function styled(style: Style, text: string): string {
  return styleText(style, text, STYLE_ALWAYS);
}

// Later Nodes ask their own standard output whether to style; here that was decided already.
const STYLE_ALWAYS = { validateStream: false } as never;

function quiet(written: Promise<void>): void {
  written.catch(() => {});
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences that styleText writes
const plain = (text: string) => text.replace(/\u001b\[[0-9;]*m/g, '');
const clip = (text: string, width: number) =>
  text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
