/** The fleet at a glance: what is silent, what has gaps, what is refused and why, and then every device. */

import { bytesText } from '../../../texts.js';
import type { FleetDevice, FleetStatus } from '../../messages.js';
import {
  backlogOf,
  fleetConcerns,
  gatewayConcerns,
  journalText,
  nameOf,
  refusals,
  refusedCount,
  uplinkCondition,
  uplinkDetail,
  urgency,
} from '../condition.js';
import { DeviceRow } from '../device-row.js';
import { el, fill, setText, show } from '../dom.js';
import { countText, plural } from '../format.js';
import { Concerns, chips, Tile } from '../parts.js';
import { Cleanup, type Context, type View } from '../view.js';

export const FILTERS = ['all', 'attention', 'silent', 'gaps', 'refused'] as const;
type Filter = (typeof FILTERS)[number];

const FILTER_TEXTS: readonly (readonly [Filter, string])[] = [
  ['all', 'All'],
  ['attention', 'To look at'],
  ['silent', 'Silent'],
  ['gaps', 'Gaps'],
  ['refused', 'Refused'],
];

const FILTER_TESTS: Readonly<Record<Filter, (device: FleetDevice) => boolean>> = {
  all: () => true,
  attention: device => urgency(device) > 0,
  silent: device => device.silent,
  gaps: device => device.gaps > 0 || (device.losses ?? 0) > 0,
  refused: device => refusals(device).length > 0,
};

const byName = (a: FleetDevice, b: FleetDevice) =>
  nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }) || (a.id < b.id ? -1 : 1);

const ORDERS = {
  urgent: { text: 'Worst first', compare: (a, b) => urgency(b) - urgency(a) || byName(a, b) },
  name: { text: 'By name', compare: byName },
  heard: { text: 'Heard last', compare: (a, b) => (b.heardAt ?? 0) - (a.heardAt ?? 0) || byName(a, b) },
  gaps: { text: 'Most gaps', compare: (a, b) => b.gaps - a.gaps || byName(a, b) },
} as const satisfies Record<
  string,
  { readonly text: string; readonly compare: (a: FleetDevice, b: FleetDevice) => number }
>;
type Order = keyof typeof ORDERS;

/** Rows that are in the document at first, and how many more each time. */
const ROWS = 60;

export class FleetView implements View {
  readonly title = 'Fleet';
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #tiles = {
    devices: new Tile('Devices', '#/fleet'),
    gaps: new Tile('Missing readings', '#/fleet/gaps'),
    refused: new Tile('Refused', '#/quarantine'),
    uplink: new Tile('To publish', '#/uplink'),
    journal: new Tile('Journal', '#/gateway'),
  };
  readonly #concerns = new Concerns(
    'All is well: every device is heard, nothing is missing, nothing is refused.',
  );
  readonly #rows = new Map<string, DeviceRow>();
  readonly #body = el('tbody');
  readonly #count = el('span', { class: 'muted small', role: 'status' });
  readonly #more = el('button', { type: 'button', class: 'more', hidden: true });
  readonly #empty = el('p', { class: 'empty', hidden: true });
  #filter: Filter;
  #order: Order = 'urgent';
  #search = '';
  #limit = ROWS;

  constructor(context: Context, filter: string | undefined) {
    this.#context = context;
    this.#filter = FILTERS.find(known => known === filter) ?? 'all';
    this.#more.addEventListener('click', () => {
      this.#limit += 4 * ROWS;
      this.#draw();
    });
    this.element = el(
      'div',
      {},
      el('h1', { class: 'seen-by-readers' }, 'Fleet'),
      el('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ element }) => element)),
      this.#concerns.element,
      el(
        'section',
        { class: 'panel', 'aria-label': 'Devices' },
        el('div', { class: 'head' }, ...this.#tools()),
        el('div', { class: 'scroll' }, el('table', { class: 'cards' }, heading(), this.#body)),
        this.#empty,
        this.#more,
      ),
    );
    this.#cleanup.add(context.fleet.listen(() => this.#draw()));
    this.#draw();
  }

  destroy(): void {
    this.#cleanup.run();
  }

  #tools(): HTMLElement[] {
    const search = el('input', {
      type: 'search',
      placeholder: 'Name or id',
      'aria-label': 'Show devices with this in their name or id',
    });
    search.addEventListener('input', () => {
      this.#search = search.value.trim().toLowerCase();
      this.#again();
    });
    const order = el(
      'select',
      { 'aria-label': 'Order' },
      ...Object.entries(ORDERS).map(([value, { text }]) => el('option', { value }, text)),
    );
    order.addEventListener('change', () => {
      this.#order = order.value as Order;
      this.#again();
    });
    const filter = chips('Which devices', FILTER_TEXTS, this.#filter, chosen => {
      this.#filter = chosen;
      this.#again();
    });
    return [filter, this.#count, el('span', { class: 'fill' }), search, order];
  }

  #again(): void {
    this.#limit = ROWS;
    this.#draw();
  }

  #draw(): void {
    const { status, devices } = this.#context.fleet;
    if (status === undefined) return;
    this.#drawTiles(status, [...devices.values()]);
    this.#concerns.set([...gatewayConcerns(status), ...fleetConcerns(devices.values())].sort(badFirst));
    // Of nothing, nothing is said.
    show(this.#concerns.element, devices.size > 0 || gatewayConcerns(status).length > 0);
    const wanted = FILTER_TESTS[this.#filter];
    const found = [...devices.values()]
      .filter(device => wanted(device) && this.#matches(device))
      .sort(ORDERS[this.#order].compare);
    this.#drawRows(found.slice(0, this.#limit));
    const rest = found.length - this.#limit;
    show(this.#more, rest > 0);
    setText(this.#more, `Show ${countText(Math.min(rest, 4 * ROWS))} more of ${countText(found.length)}`);
    setText(
      this.#count,
      found.length === status.deviceCount
        ? ''
        : `${countText(found.length)} of ${countText(status.deviceCount)}${
            status.deviceCount > devices.size
              ? `, of which ${countText(status.deviceCount - devices.size)} are not listed: heard longest ago, and not silent`
              : ''
          }`,
    );
    show(this.#empty, found.length === 0);
    setText(
      this.#empty,
      devices.size === 0
        ? 'No device is known yet: sovereign device add, or sovereign device provision, makes one.'
        : 'No device is like that.',
    );
  }

  #matches({ id, name }: FleetDevice): boolean {
    return (
      this.#search === '' || id.includes(this.#search) || name?.toLowerCase().includes(this.#search) === true
    );
  }

  #drawTiles(status: FleetStatus, devices: readonly FleetDevice[]): void {
    const count = (test: (device: FleetDevice) => boolean) => devices.filter(test).length;
    const sum = (value: (device: FleetDevice) => number) =>
      devices.reduce((all, device) => all + value(device), 0);
    const silent = count(device => device.silent);
    const online = count(device => device.online);
    const { devices: tile, gaps, refused, uplink, journal } = this.#tiles;
    tile.set(
      silent > 0 ? 'bad' : devices.length > 0 ? 'ok' : 'off',
      countText(status.deviceCount),
      silent > 0 ? `${countText(online)} online, ${countText(silent)} silent` : `${countText(online)} online`,
    );
    const missing = sum(device => device.gaps);
    const lost = sum(device => device.losses ?? 0);
    gaps.set(
      missing > 0 ? 'warn' : 'ok',
      plural(missing, 'gap'),
      lost > 0
        ? `${countText(lost)} given up by devices`
        : `in ${countText(sum(({ readings }) => readings))} readings`,
    );
    const { evidence, kept } = status.quarantine;
    const total = refusedCount(status);
    refused.set(
      evidence > 0 ? 'bad' : total > 0 ? 'warn' : 'ok',
      countText(total),
      evidence > 0
        ? plural(evidence, 'fork')
        : total > 0
          ? `${countText(kept)} kept for looking at`
          : 'nothing fails a check',
    );
    const { level, word } = uplinkCondition(status);
    uplink.set(
      level,
      status.uplink === undefined ? word : countText(backlogOf(status)),
      uplinkDetail(status),
    );
    const { bytes } = status.journal;
    journal.set(
      status.journal.state === 'ok' ? 'ok' : 'bad',
      status.journal.state !== 'ok' ? 'stalled' : bytes === undefined ? 'ok' : bytesText(bytes),
      journalText(status),
    );
  }

  #drawRows(devices: readonly FleetDevice[]): void {
    const { now } = this.#context.fleet;
    const rows = devices.map(device => {
      let row = this.#rows.get(device.id);
      if (row === undefined) {
        row = new DeviceRow(device.id);
        this.#rows.set(device.id, row);
      }
      row.set(device, now);
      return row.element;
    });
    if (rows.length === this.#body.children.length && rows.every((row, i) => row === this.#body.children[i]))
      return;
    fill(this.#body, ...rows);
    const shown = new Set(devices.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!shown.has(id)) this.#rows.delete(id);
  }
}

const badFirst = (a: { level: string }, b: { level: string }) =>
  Number(b.level === 'bad') - Number(a.level === 'bad');

function heading(): HTMLElement {
  const columns = ['Device', 'Heard', 'Measured', 'Readings', 'Gaps', 'Refused', 'Backlog', 'dBm'];
  return el(
    'thead',
    {},
    el(
      'tr',
      {},
      ...columns.map((name, i) => el('th', { scope: 'col', class: i > 2 ? 'number' : undefined }, name)),
    ),
  );
}
