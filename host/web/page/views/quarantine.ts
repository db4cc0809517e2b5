/** What was refused and why, the bytes themselves, and another chance for them. */
import type { QuarantineDetail, QuarantineItem, QuarantineRelease } from '../../../control/calls.js';
import { bytesText } from '../../../texts.js';
import { actionButton, faultText } from '../actions.js';
import { reasonText } from '../condition.js';
import { el, fill, setText, show } from '../dom.js';
import { countText, plural, timeText } from '../format.js';
import { Facts, panel } from '../parts.js';
import { Cleanup, type Context, type View } from '../view.js';

const PAGE = 50;

const OUTCOMES: Readonly<Record<QuarantineRelease['outcome'], string>> = {
  journalled: 'Taken: it is in the journal now',
  waiting: 'Taken: the disk takes its time to make it durable',
  known: 'It had been taken before',
  early: 'Readings before it are missing; they may still come from the device',
  evidence: 'It contradicts what the journal holds, and is kept as evidence',
  refused: 'A check still refuses it',
  busy: 'The disk takes nothing at the moment; try again later',
};

export class QuarantineView implements View {
  readonly title = 'Quarantine';
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #summary = el('p', { class: 'muted' });
  readonly #reasons = el('ul', { class: 'bars' });
  readonly #body = el('tbody');
  readonly #table: HTMLElement;
  readonly #empty = el('p', { class: 'empty', role: 'status' }, 'Looking …');
  readonly #more = el('button', { type: 'button', class: 'more', hidden: true }, 'Show older ones');
  readonly #detail = el('section', { class: 'panel', hidden: true, 'aria-label': 'One of them' });
  #last: string | undefined;
  #kept = -1;
  #drawn = '';

  constructor(context: Context, chosen: string | undefined) {
    this.#context = context;
    this.#more.addEventListener('click', () => void this.#load(this.#last));
    this.#table = el('div', { class: 'scroll' }, el('table', { class: 'cards' }, heading(), this.#body));
    this.element = el(
      'div',
      {},
      el('div', { class: 'head' }, el('h1', {}, 'Quarantine'), this.#summary),
      panel('What was refused, and why', this.#reasons),
      this.#detail,
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Kept for looking at'),
        this.#table,
        this.#empty,
        this.#more,
      ),
    );
    this.#cleanup.add(context.fleet.listen(() => this.#draw()));
    this.#draw();
    if (chosen !== undefined && chosen !== '') void this.#show(chosen);
  }

  destroy(): void {
    this.#cleanup.run();
  }

  #draw(): void {
    const quarantine = this.#context.fleet.status?.quarantine;
    if (quarantine === undefined) return;
    const key = JSON.stringify(quarantine);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const { bytes, kept, dropped, reasons, evidence } = quarantine;
    const left = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const told = [`${countText(kept)} kept, ${bytesText(bytes)}`];
    if (left > 0) told.push(`${countText(left)} counted only`);
    if (evidence > 0) told.push(`${plural(evidence, 'fork')} kept as evidence`);
    setText(this.#summary, told.join(' · '));
    const sorted = Object.entries(reasons).sort(([, a], [, b]) => b - a);
    const most = sorted[0]?.[1] ?? 1;
    fill(
      this.#reasons,
      ...sorted.map(([reason, count]) =>
        el(
          'li',
          {},
          el('span', {}, `${reason}: `, el('span', { class: 'muted' }, reasonText(reason))),
          el('strong', {}, countText(count)),
          el('progress', { max: most, value: count, 'aria-hidden': 'true' }),
        ),
      ),
      sorted.length === 0 && el('li', { class: 'muted' }, 'Nothing since the gateway began.'),
    );
    if (kept !== this.#kept) {
      this.#kept = kept;
      void this.#load();
    }
  }

  async #load(after?: string): Promise<void> {
    try {
      const { items, more } = await this.#context.connection.call('quarantine-list', {
        limit: PAGE,
        ...(after !== undefined && { after }),
      });
      if (after === undefined) fill(this.#body);
      for (const item of items) this.#body.append(this.#row(item));
      this.#last = items.at(-1)?.id ?? this.#last;
      show(this.#more, more);
      setText(this.#empty, 'Nothing is kept.');
    } catch (error) {
      setText(this.#empty, faultText(error));
    }
    show(this.#empty, this.#body.children.length === 0);
    show(this.#table, this.#body.children.length > 0);
  }

  #row(item: QuarantineItem): HTMLElement {
    const { id, at, reason, detail, link, device, name, bytes } = item;
    const open = el('button', { type: 'button' }, 'Open');
    open.setAttribute('aria-label', `Open ${id}`);
    open.addEventListener('click', () => void this.#show(id));
    return el(
      'tr',
      {},
      el('td', {}, timeText(at)),
      el('td', {}, open),
      el('td', { class: 'wide' }, reason, el('span', { class: 'muted' }, ` ${detail ?? reasonText(reason)}`)),
      el('td', { class: 'wide' }, from(name, device, link)),
      el('td', { class: 'number' }, countText(bytes), el('span', { class: 'unit' }, ' bytes')),
    );
  }

  async #show(id: string): Promise<void> {
    try {
      const detail = await this.#context.connection.call('quarantine-show', { id });
      fill(this.#detail, ...this.#inside(detail));
    } catch (error) {
      fill(this.#detail, el('p', { class: 'empty' }, faultText(error)));
    }
    show(this.#detail, true);
    this.#detail.scrollIntoView({ block: 'nearest' });
  }

  #inside(item: QuarantineDetail): HTMLElement[] {
    const { id, at, reason, detail, link, device, name, authentic, bytes, claims, now, hex } = item;
    const said = el('p', { class: 'muted', role: 'status' });
    const release = actionButton(this.#context, 'Try again now', 'quarantine-release', { id }, outcome => {
      setText(
        said,
        outcome.reason === undefined
          ? OUTCOMES[outcome.outcome]
          : `${OUTCOMES[outcome.outcome]}: ${reasonText(outcome.reason)}`,
      );
    });
    const close = el('button', { type: 'button' }, 'Close');
    close.addEventListener('click', () => show(this.#detail, false));
    const facts = new Facts();
    facts.set([
      ['Came', timeText(at)],
      ['Over', link],
      ['Refused for', `${reason}${detail === undefined ? '' : `, ${detail}`}`],
      ['From', device === undefined ? 'no known device' : from(name, device, link)],
      ['Its seal', authentic ? 'was right' : 'was not found right'],
      ['Says of itself', claims && `${claims.device}, epoch ${claims.epoch}, number ${claims.seq}`],
      ['The checks now', now === '' ? 'would take it' : `still refuse it: ${reasonText(now)}`],
      ['Length', plural(bytes, 'byte')],
    ]);
    return [
      el('div', { class: 'head' }, el('h2', {}, id), said, el('span', { class: 'fill' }), release, close),
      facts.element,
      el('pre', { class: 'hex', tabindex: 0, 'aria-label': 'Its bytes, in hexadecimal' }, spaced(hex)),
    ];
  }
}

const from = (name: string | undefined, device: string | undefined, link: string) =>
  `${name ?? device ?? 'unknown'}, over ${link}`;

/** Sixteen bytes a line. */
function spaced(hex: string): string {
  const lines = hex.match(/.{1,32}/g) ?? [];
  return lines
    .map((line, i) => `${(16 * i).toString(16).padStart(4, '0')}  ${line.replace(/../g, '$& ').trim()}`)
    .join('\n');
}

function heading(): HTMLElement {
  const columns = ['Came', 'Open', 'Why', 'From', 'Bytes'];
  return el(
    'thead',
    {},
    el(
      'tr',
      {},
      ...columns.map((name, i) => el('th', { scope: 'col', class: i === 4 ? 'number' : undefined }, name)),
    ),
  );
}
