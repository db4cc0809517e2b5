/** The gateway itself: what runs, what it stores, and everything that it counts. */

import { bytesText, durationText } from '../../../texts.js';
import type { FleetStatus } from '../../messages.js';
import { gatewayConcerns } from '../condition.js';
import { el, fill } from '../dom.js';
import { countText, plural, timeText } from '../format.js';
import { Concerns, Facts, panel } from '../parts.js';
import { Cleanup, type Context, type View } from '../view.js';

type FactList = (readonly [string, string | undefined])[];

export class GatewayView implements View {
  readonly title = 'Gateway';
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #concerns = new Concerns('The gateway does what it should.');
  readonly #running = new Facts();
  readonly #journal = new Facts();
  readonly #counters = el('tbody');
  #drawn = '';

  constructor(context: Context) {
    this.#context = context;
    this.element = el(
      'div',
      {},
      el('div', { class: 'head' }, el('h1', {}, 'Gateway')),
      this.#concerns.element,
      panel('What runs', this.#running.element),
      panel('Journal', this.#journal.element),
      panel('Counted since the start', el('div', { class: 'scroll' }, el('table', {}, this.#counters))),
    );
    this.#cleanup.add(context.fleet.listen(() => this.#draw()));
    this.#draw();
  }

  destroy(): void {
    this.#cleanup.run();
  }

  #draw(): void {
    const { status } = this.#context.fleet;
    if (status === undefined) return;
    this.#concerns.set(gatewayConcerns(status).filter(({ href }) => href === '#/gateway'));
    this.#running.set(runningFacts(status));
    this.#journal.set(journalFacts(status));
    const key = JSON.stringify(status.counters);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const rows = Object.entries(status.counters).map(([name, count]) =>
      el('tr', {}, el('td', {}, name.replaceAll('-', ' ')), el('td', { class: 'number' }, countText(count))),
    );
    fill(
      this.#counters,
      ...rows,
      rows.length === 0 && el('tr', {}, el('td', { class: 'muted' }, 'Nothing yet.')),
    );
  }
}

function runningFacts(status: FleetStatus): FactList {
  const { clock, keyring, health, handover } = status;
  const parts = Object.entries(health?.parts ?? {}).map(
    ([name, { ok }]) => `${name} ${ok ? 'works' : 'does not work'}`,
  );
  return [
    ['Site', status.site],
    ['Gateway', status.gateway],
    ['Version', status.version],
    ['Runs on', status.runtime],
    ['Process', String(status.pid)],
    ['Memory', status.process && bytesText(status.process.residentBytes)],
    ['Started', timeText(status.startedAt)],
    ['Running for', durationText(status.uptimeMs)],
    [
      'Restored',
      handover &&
        `${timeText(handover.restoredAt)}, with what ${handover.from} had at ${timeText(handover.backupAt)}`,
    ],
    ['Health', parts.join(', ')],
    [
      'Its clock',
      `${timeText(clock.at)}${clock.synchronised === undefined ? '' : clock.synchronised ? ', synchronised' : ', not synchronised'}`,
    ],
    ['Keyring', plural(keyring.devices, 'device')],
    ['Connections', plural(status.linkCount, 'link')],
    ['Configuration', status.configFile],
    ['Data', status.dataDirectory],
  ];
}

function journalFacts({ journal }: FleetStatus): FactList {
  const { writes, bytes, oldestAt, availableBytes } = journal;
  return [
    ['State', journal.state === 'ok' ? 'stores what comes' : (journal.fault ?? 'stalled')],
    ['Entries', countText(journal.entries)],
    ['Segments', countText(journal.segments)],
    ['Size', bytes === undefined ? undefined : bytesText(bytes)],
    ['Oldest', oldestAt === undefined ? undefined : timeText(oldestAt)],
    ['Offsets', `${journal.oldestOffset} to ${journal.durableOffset}`],
    ['Waiting for the disk', bytesText(journal.pendingBytes)],
    ['Free on the disk', availableBytes === undefined ? undefined : bytesText(availableBytes)],
    [
      'Written a day',
      writes &&
        `${bytesText(writes.bytesPerDay)}, ${writes.source === 'device' ? 'by everything on this disk' : 'by the gateway'}`,
    ],
    [
      'The disk lasts',
      writes?.years === undefined
        ? undefined
        : `${writes.years >= 100 ? 'over 100' : writes.years.toFixed(1)} years at this rate`,
    ],
  ];
}
