/** One device: how it does, what it measures, and its last readings. */
import type { DecodedReading } from '../../../control/calls.js';
import type { FleetDevice } from '../../messages.js';
import { type Concern, deviceCondition, heardText, nameOf, refusals } from '../condition.js';
import { DeviceReadings } from '../device-readings.js';
import { el, fill, setText, show } from '../dom.js';
import { countText, plural, recordText, timeText } from '../format.js';
import { Concerns, chips, Facts, panel, tag } from '../parts.js';
import { TimePlot } from '../plot.js';
import { measuredAt } from '../series.js';
import { Cleanup, type Context, type View } from '../view.js';

const HOUR_MS = 3_600_000;
const SPANS = { '1h': HOUR_MS, '6h': 6 * HOUR_MS, '24h': 24 * HOUR_MS, '7d': 7 * 24 * HOUR_MS } as const;
type Span = keyof typeof SPANS;
const SPAN_TEXTS: readonly (readonly [Span, string])[] = [
  ['1h', '1 h'],
  ['6h', '6 h'],
  ['24h', '24 h'],
  ['7d', '7 days'],
];
/** The shortest time that is shown. */
const MIN_SECONDS = 60;
/** Not more often than this is anything drawn, however fast readings come. */
const DRAW_MS = 250;
const KINDS: Readonly<Record<NonNullable<DecodedReading['kind']>, string>> = {
  start: 'started',
  heartbeat: 'heartbeat',
  final: 'end of epoch',
  fault: 'sensor fault',
  loss: 'given up',
};

export class DeviceView implements View {
  readonly title: string;
  readonly element: HTMLElement;
  readonly #id: string;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #readings: DeviceReadings;
  readonly #name = el('h1');
  readonly #tag = el('span');
  readonly #concerns = new Concerns('This device is as it should be.');
  readonly #state = el('p', { class: 'panel empty', role: 'status' });
  readonly #plots = new Map<string, TimePlot>();
  readonly #plotList = el('div', { class: 'plots' });
  readonly #facts = new Facts();
  readonly #latest = el('tbody');
  #span: Span = '6h';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, id: string) {
    this.#id = id;
    this.#context = context;
    const device = context.fleet.devices.get(id);
    this.title = device === undefined ? id : nameOf(device);
    this.#readings = new DeviceReadings(context.connection, id, () => this.#soon());
    const spans = chips('How much is shown', SPAN_TEXTS, this.#span, span => {
      this.#span = span;
      this.#watch();
    });
    this.element = el(
      'div',
      {},
      el(
        'div',
        { class: 'head' },
        el('a', { href: '#/fleet', class: 'muted', 'aria-label': 'Back to the fleet' }, '‹ Fleet'),
        this.#name,
        this.#tag,
        el('span', { class: 'mono muted' }, id),
        el('span', { class: 'fill' }),
        spans,
      ),
      this.#concerns.element,
      this.#state,
      this.#plotList,
      panel('What is known of it', this.#facts.element),
      panel(
        'Last readings',
        el('div', { class: 'scroll' }, el('table', { class: 'cards' }, heading(), this.#latest)),
      ),
    );
    this.#cleanup.add(
      context.fleet.listen(() => this.#drawDevice()),
      () => this.#readings.destroy(),
      () => clearTimeout(this.#timer),
      () => {
        for (const plot of this.#plots.values()) plot.destroy();
      },
    );
    this.#drawDevice();
    this.#watch();
  }

  destroy(): void {
    this.#cleanup.run();
  }

  #watch(): void {
    this.#readings.watch(() => this.#context.fleet.now - SPANS[this.#span]);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#drawReadings();
    }, DRAW_MS);
  }

  #drawDevice(): void {
    const { devices, now } = this.#context.fleet;
    const device = devices.get(this.#id);
    if (device === undefined) {
      setText(this.#name, this.#id);
      this.#concerns.set([{ level: 'warn', text: 'The gateway knows no such device', href: '#/fleet' }]);
      return;
    }
    setText(this.#name, nameOf(device));
    const condition = deviceCondition(device);
    if (this.#tag.textContent !== condition.word) fill(this.#tag, tag(condition));
    this.#concerns.set(concernsOf(device, heardText(device, now)));
    this.#facts.set(factsOf(device, heardText(device, now)));
  }

  #drawReadings(): void {
    const { series, latest, fault, loading, cut } = this.#readings;
    const now = this.#context.fleet.now;
    const since = (now - SPANS[this.#span]) / 1000;
    series.forget(since);
    const all = series.all;
    // What is known of a shorter time fills the plot.
    const first = Math.min(now / 1000 - MIN_SECONDS, ...all.map(({ times }) => times[0]!));
    const window = [Math.max(since, first), now / 1000] as const;
    const text =
      fault !== ''
        ? `Readings could not be fetched: ${fault}`
        : loading && all.length === 0
          ? 'Reading the journal …'
          : latest.length === 0
            ? 'The journal holds nothing of it from this time.'
            : all.length === 0
              ? 'Nothing here can be plotted.'
              : cut
                ? 'There is more in the journal than is shown here: these are the last readings.'
                : '';
    setText(this.#state, text);
    show(this.#state, text !== '');
    const names = new Set(all.map(({ name }) => name));
    for (const [name, plot] of this.#plots)
      if (!names.has(name)) {
        plot.destroy();
        plot.element.remove();
        this.#plots.delete(name);
      }
    for (const { name, unit, switched, times, values } of all) {
      let plot = this.#plots.get(name);
      if (plot === undefined) {
        plot = new TimePlot({ title: name, unit, switched, together: 'device' });
        this.#plots.set(name, plot);
        this.#plotList.append(plot.element);
      }
      plot.set(times, values, window);
    }
    fill(this.#latest, ...latest.map(readingRow));
  }
}

function concernsOf(device: FleetDevice, heard: string): Concern[] {
  const found: Concern[] = [];
  const href = `#/device/${device.id}`;
  if (device.silent) found.push({ level: 'bad', text: `Silent: last heard ${heard}`, href });
  for (const text of refusals(device)) found.push({ level: 'warn', text: `Not taken: ${text}`, href });
  if (device.gaps > 0)
    found.push({ level: 'warn', text: `${plural(device.gaps, 'gap')} where readings are missing`, href });
  if ((device.losses ?? 0) > 0)
    found.push({ level: 'warn', text: `It had to give up ${plural(device.losses!, 'reading')}`, href });
  return found;
}

function factsOf(device: FleetDevice, heard: string): (readonly [string, string | undefined])[] {
  const { epoch, seq, settings, counts } = device;
  const number = (value: number | undefined) => (value === undefined ? undefined : countText(value));
  return [
    ['Last heard', heard],
    ['Over', device.link],
    ['Last reading', epoch === undefined ? undefined : `epoch ${epoch}, number ${seq}`],
    ['Readings kept', number(device.readings)],
    ['Gaps', number(device.gaps)],
    ['Backlog', number(device.backlog)],
    ['Given up by it', number(device.losses)],
    [
      'Its clock',
      device.clock === undefined ? undefined : device.clock === 'synchronised' ? 'set' : 'not set',
    ],
    ['Signal', device.signal === undefined ? undefined : `${device.signal} dBm`],
    ['Firmware', device.firmware],
    ['Started because of', device.restart],
    ['Settings', settings === undefined ? undefined : settingsText(settings)],
    ['Taken since the start', number(counts.next)],
    ['Repeated', number(counts.replay)],
    ['Came too early', number(counts.early)],
    ['Receipts given', number(counts.receipts)],
  ];
}

function settingsText({
  supported,
  acknowledged,
  version,
  fault,
}: NonNullable<FleetDevice['settings']>): string {
  if (!supported) return 'takes none';
  if (fault !== undefined) return `refused: ${fault}`;
  return acknowledged >= version ? `version ${version}, taken` : `version ${version}, not taken yet`;
}

function heading(): HTMLElement {
  const columns = ['Measured at', 'Number', 'Values'];
  return el('thead', {}, el('tr', {}, ...columns.map(name => el('th', { scope: 'col' }, name))));
}

function readingRow(reading: DecodedReading): HTMLElement {
  const { epoch, seq, kind, records } = reading;
  const values = records.map(record =>
    el('span', {}, el('span', { class: 'label' }, `${record.n} `), recordText(record)),
  );
  const what =
    kind === undefined ? [] : [el('span', { class: kind === 'fault' ? 'tag warn' : 'tag' }, KINDS[kind])];
  return el(
    'tr',
    {},
    el(
      'td',
      {},
      timeText(measuredAt(reading)),
      reading.time === undefined && el('span', { class: 'muted' }, ' received'),
    ),
    el('td', { class: 'mono muted' }, `${epoch}/${seq}`),
    el('td', { class: 'wide' }, el('div', { class: 'values' }, ...what, ...values)),
  );
}
