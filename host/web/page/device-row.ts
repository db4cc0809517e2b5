/** A device's line in the table of the fleet. Only what has changed touches the document. */
import type { FleetDevice, FleetValue } from '../messages.js';
import { deviceCondition, heardText, nameOf, refusals } from './condition.js';
import { el, fill, setClass, setText } from './dom.js';
import { countText, recordText } from './format.js';

/** A number with what it counts, which is written on phones alone, where there are no columns. */
class NumberCell {
  readonly element: HTMLElement;
  readonly #one: string;
  readonly #many: string;
  readonly #text = el('span');
  readonly #unit = el('span', { class: 'unit' });

  constructor(many: string, one = many) {
    this.#one = one;
    this.#many = many;
    this.element = el('td', { class: 'number' }, this.#text, this.#unit);
  }

  set(value: number | undefined, level: '' | 'warn' | 'bad' = '', always = false): void {
    const said = value !== undefined && (value !== 0 || always);
    setText(this.#text, value === undefined ? '' : value === 0 && !always ? '–' : countText(value));
    setText(this.#unit, ` ${value === 1 ? this.#one : this.#many}`);
    setClass(this.element, `number ${said ? level : 'nothing'}`.trim());
  }
}

export class DeviceRow {
  readonly element: HTMLElement;
  readonly #dot = el('span', { class: 'dot', 'aria-hidden': 'true' });
  readonly #link: HTMLAnchorElement;
  readonly #word = el('small');
  readonly #heard = el('td');
  readonly #values = el('div', { class: 'values' });
  readonly #readings = new NumberCell('readings', 'reading');
  readonly #gaps = new NumberCell('gaps', 'gap');
  readonly #refused = new NumberCell('refused');
  readonly #backlog = new NumberCell('in backlog');
  readonly #signal = new NumberCell('dBm');
  #shownValues: readonly FleetValue[] | undefined;

  constructor(id: string) {
    this.#link = el('a', { href: `#/device/${id}` });
    this.element = el(
      'tr',
      {},
      el('td', {}, el('div', { class: 'who' }, this.#dot, el('div', {}, this.#link, this.#word))),
      this.#heard,
      el('td', { class: 'wide' }, this.#values),
      ...[this.#readings, this.#gaps, this.#refused, this.#backlog, this.#signal].map(
        ({ element }) => element,
      ),
    );
  }

  set(device: FleetDevice, now: number): void {
    const { level, word } = deviceCondition(device);
    setClass(this.#dot, `dot ${level}`);
    setText(this.#link, nameOf(device));
    setText(this.#word, device.clock === 'unsynchronised' ? `${word}, clock not set` : word);
    setClass(this.#word, level === 'bad' ? 'bad-text' : '');
    setText(this.#heard, heardText(device, now));
    this.#readings.set(device.readings, '', true);
    this.#gaps.set(device.gaps, 'warn');
    const { fork = 0, stale = 0, busy = 0 } = device.counts;
    this.#refused.set(fork + stale + busy, fork > 0 ? 'bad' : 'warn');
    this.#refused.element.title = refusals(device).join('; ');
    this.#backlog.set(device.backlog);
    this.#signal.set(device.signal);
    if (device.values !== this.#shownValues) this.#drawValues(device.values ?? []);
  }

  #drawValues(values: readonly FleetValue[]): void {
    this.#shownValues = values;
    fill(
      this.#values,
      ...values.map(value =>
        el('span', {}, el('span', { class: 'label' }, `${value.n} `), recordText(value)),
      ),
    );
  }
}
