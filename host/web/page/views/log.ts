/** The log as it is written. */
import type { LogLine } from '../../../ports.js';
import { change } from '../actions.js';
import { el, fill, setText, show } from '../dom.js';
import { clockText, countText, timeText } from '../format.js';
import { chips } from '../parts.js';
import { Cleanup, type Context, type View } from '../view.js';

type Level = LogLine['level'];
const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const LEVELS: readonly (readonly [Level, string])[] = [
  ['debug', 'All'],
  ['info', 'Info'],
  ['warn', 'Warnings'],
  ['error', 'Errors'],
];
const RECENT = 300;
const MAX_LINES = 1000;
/** So near the end somebody reads what comes. */
const NEAR_PX = 40;

export class LogView implements View {
  readonly title = 'Log';
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #list = el('div', {
    class: 'lines',
    role: 'log',
    'aria-live': 'off',
    tabindex: 0,
    'aria-label': 'Lines of the log',
  });
  readonly #state = el('span', { class: 'muted small', role: 'status' });
  readonly #pause = el('button', { type: 'button', 'aria-pressed': 'false' }, 'Hold');
  readonly #level: HTMLSelectElement;
  #lines: LogLine[] = [];
  #held: LogLine[] | undefined;
  #least: Level = 'debug';
  #search = '';

  constructor(context: Context) {
    this.#context = context;
    const search = el('input', {
      type: 'search',
      placeholder: 'Containing',
      'aria-label': 'Show lines that contain this',
    });
    search.addEventListener('input', () => {
      this.#search = search.value.trim().toLowerCase();
      this.#redraw();
    });
    this.#level = el(
      'select',
      { 'aria-label': 'What the gateway writes' },
      ...(['debug', 'info', 'warn', 'error'] as const).map(level =>
        el('option', { value: level }, `Writes ${level}`),
      ),
    );
    this.#level.addEventListener('change', () => void this.#setLevel(this.#level.value as Level));
    this.#pause.addEventListener('click', () => this.#hold());
    const least = chips('Least that is shown', LEVELS, this.#least, level => {
      this.#least = level;
      this.#redraw();
    });
    this.element = el(
      'div',
      {},
      el(
        'div',
        { class: 'head' },
        el('h1', {}, 'Log'),
        this.#state,
        el('span', { class: 'fill' }),
        this.#level,
      ),
      el(
        'section',
        { class: 'panel' },
        el('div', { class: 'head' }, least, el('span', { class: 'fill' }), search, this.#pause),
        this.#list,
      ),
    );
    this.#cleanup.add(
      context.connection.stream(
        'log',
        { recent: RECENT },
        {
          begins: () => {
            this.#lines = [];
            fill(this.#list);
          },
          item: line => this.#take(line),
          lost: count => setText(this.#state, `${countText(count)} lines were left out: too many at once`),
          failed: ({ message }) => setText(this.#state, message),
        },
      ),
      context.fleet.listen(() => this.#drawLevel()),
    );
    this.#drawLevel();
  }

  destroy(): void {
    this.#cleanup.run();
  }

  #take(line: LogLine): void {
    if (this.#held !== undefined) {
      this.#held.push(line);
      if (this.#held.length > MAX_LINES) this.#held.shift();
      setText(this.#pause, `Go on (${countText(this.#held.length)})`);
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    if (this.#wanted(line)) this.#append([line]);
  }

  #hold(): void {
    const held = this.#held;
    this.#held = held === undefined ? [] : undefined;
    this.#pause.setAttribute('aria-pressed', String(held === undefined));
    setText(this.#pause, held === undefined ? 'Go on' : 'Hold');
    for (const line of held ?? []) this.#take(line);
  }

  #wanted(line: LogLine): boolean {
    if (RANK[line.level] < RANK[this.#least]) return false;
    return this.#search === '' || `${line.event} ${fieldsText(line)}`.toLowerCase().includes(this.#search);
  }

  #redraw(): void {
    fill(this.#list);
    this.#append(this.#lines.filter(line => this.#wanted(line)));
  }

  #append(lines: readonly LogLine[]): void {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
    list.append(...lines.map(lineElement));
    while (list.children.length > MAX_LINES) list.firstElementChild?.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  #drawLevel(): void {
    const level = this.#context.fleet.status?.log?.level;
    show(this.#level, level !== undefined);
    if (level !== undefined && document.activeElement !== this.#level) this.#level.value = level;
  }

  async #setLevel(level: Level): Promise<void> {
    const done = await change(this.#context, 'log-level', { level }, `Write ${level}`);
    if (done !== undefined)
      this.#context.notice(`The gateway writes ${done.level} and above, until it starts again`);
    this.#level.blur();
    this.#drawLevel();
  }
}

function lineElement(line: LogLine): HTMLElement {
  const { at, level, event } = line;
  return el(
    'p',
    { class: level },
    el('time', { title: timeText(at) }, clockText(at)),
    el('span', { class: 'level' }, level),
    el(
      'span',
      { class: 'text' },
      el('span', { class: 'event' }, event),
      el('span', { class: 'field' }, fieldsText(line)),
    ),
  );
}

const fieldsText = ({ fields }: LogLine) =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' && /[\s"]/.test(value) ? JSON.stringify(value) : value}`,
    )
    .join(' ');
