/** Small pieces that several views are made of. */
import type { Concern, Condition, Level } from './condition.js';
import { type Child, el, fill, setClass, setText } from './dom.js';

export const dot = (level: Level) => el('span', { class: `dot ${level}`, 'aria-hidden': 'true' });

export const tag = ({ level, word }: Condition) => el('span', { class: `tag ${level}` }, dot(level), word);

export class Tile {
  readonly element: HTMLElement;
  readonly #dot = el('span', { class: 'dot', 'aria-hidden': 'true' });
  readonly #number = el('span', { class: 'number' });
  readonly #detail = el('span', { class: 'detail' });

  constructor(name: string, href?: string) {
    const inside = [el('span', { class: 'name' }, this.#dot, name), this.#number, this.#detail];
    this.element =
      href === undefined
        ? el('div', { class: 'panel tile' }, ...inside)
        : el('a', { class: 'panel tile', href }, ...inside);
  }

  set(level: Level, number: string, detail: string): void {
    setClass(this.#dot, `dot ${level}`);
    setText(this.#number, number);
    setText(this.#detail, detail);
  }
}

const MAX_CONCERNS = 8;

/** What somebody should look at, or a line that says that there is nothing. Drawn anew only when it says something else. */
export class Concerns {
  readonly element = el('ul', { class: 'concerns', 'aria-label': 'What to look at' });
  readonly #calm: string;
  #shown = '';

  constructor(calm: string) {
    this.#calm = calm;
  }

  set(concerns: readonly Concern[]): void {
    const key = JSON.stringify(concerns);
    if (key === this.#shown) return;
    this.#shown = key;
    const lines: Child[] = concerns
      .slice(0, MAX_CONCERNS)
      .map(({ level, text, href }) =>
        el('li', {}, el('a', { class: level, href }, dot(level), el('span', {}, text))),
      );
    if (concerns.length > MAX_CONCERNS)
      lines.push(el('li', { class: 'muted small' }, `and ${concerns.length - MAX_CONCERNS} more`));
    if (concerns.length === 0)
      lines.push(el('li', {}, el('p', { class: 'calm' }, dot('ok'), el('span', {}, this.#calm))));
    fill(this.element, ...lines);
  }
}

/** Names with what they are; a fact without a text is left away. */
export class Facts {
  readonly element = el('dl', { class: 'facts' });
  readonly #rows = new Map<string, { readonly row: HTMLElement; readonly value: HTMLElement }>();

  set(facts: readonly (readonly [name: string, text: string | undefined])[]): void {
    for (const [name, text] of facts) {
      let known = this.#rows.get(name);
      if (known === undefined) {
        const value = el('dd');
        known = { row: el('div', {}, el('dt', {}, name), value), value };
        this.#rows.set(name, known);
        this.element.append(known.row);
      }
      known.row.hidden = text === undefined || text === '';
      setText(known.value, text ?? '');
    }
  }
}

/** A few choices of which one holds. */
export function chips<T extends string>(
  label: string,
  choices: readonly (readonly [value: T, text: string])[],
  chosen: T,
  choose: (value: T) => void,
): HTMLElement {
  const buttons = choices.map(([value, text]) => {
    const button = el('button', { type: 'button', 'aria-pressed': String(value === chosen) }, text);
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      choose(value);
    });
    return button;
  });
  return el('div', { class: 'chips', role: 'group', 'aria-label': label }, ...buttons);
}

export const panel = (title: string, ...children: readonly Child[]) =>
  el('section', { class: 'panel' }, el('h2', {}, title), ...children);
