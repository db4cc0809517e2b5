/** One measured quantity over time, drawn by uPlot in the colours of the page. */
import uPlot from 'uplot';
import { el, setText } from './dom.js';
import { timeText, unitText, valueText } from './format.js';

export interface PlotOptions {
  readonly title: string;
  readonly unit?: string | undefined;
  /** How a value is written; default: with five digits and its unit. */
  readonly text?: (value: number) => string;
  /** True or false, as 1 and 0. */
  readonly switched?: boolean;
  readonly fromZero?: boolean;
  /** Plots with the same name show the same instant. */
  readonly together?: string;
}

const HEIGHT = 190;
const FONT = '12px system-ui, sans-serif';
/** What a tick says: from which step in seconds on, and what is added where the year or the day changes. */
const TICKS: (string | number | null)[][] = [
  [31_536_000, '{YYYY}', null, null, null, null, null, null, 1],
  [2_419_200, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86_400, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [0.001, '{ss}.{fff}', '\n{D} {MMM} {HH}:{mm}', null, '\n{D} {MMM} {HH}:{mm}', null, '\n{HH}:{mm}', null, 1],
];

const all = new Set<TimePlot>();

/** After the colours have become others. */
export function redrawPlots(): void {
  for (const plot of all) plot.redraw();
}

export class TimePlot {
  readonly element: HTMLElement;
  readonly #options: PlotOptions;
  readonly #canvas = el('div', { class: 'canvas' });
  readonly #value = el('span', { class: 'value' });
  readonly #range = el('span', { class: 'range' });
  readonly #resize: ResizeObserver;
  #plot: uPlot | undefined;
  #times: readonly number[] = [];
  #values: readonly (number | null)[] = [];
  #window: readonly [number, number] | undefined;

  constructor(options: PlotOptions) {
    this.#options = options;
    this.element = el(
      'section',
      { class: 'panel plot' },
      el('header', {}, el('h2', { title: options.title }, options.title), this.#range, this.#value),
      this.#canvas,
    );
    this.#canvas.setAttribute('role', 'img');
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(this.#canvas);
    all.add(this);
  }

  /**
   * @param times Unix seconds, rising
   * @param window what is shown, Unix seconds; absent: all there is
   */
  set(
    times: readonly number[],
    values: readonly (number | null)[],
    window?: readonly [number, number],
  ): void {
    this.#times = times;
    this.#values = values;
    this.#window = window;
    this.#draw();
    this.#tell();
  }

  redraw(): void {
    this.#plot?.redraw(false);
  }

  destroy(): void {
    all.delete(this);
    this.#resize.disconnect();
    this.#plot?.destroy();
  }

  #draw(): void {
    const data = [this.#times, this.#values] as unknown as uPlot.AlignedData;
    if (this.#plot !== undefined) this.#plot.setData(data);
    else if (this.#canvas.clientWidth > 0) this.#plot = new uPlot(this.#uplotOptions(), data, this.#canvas);
  }

  #fit(): void {
    const width = this.#canvas.clientWidth;
    if (width === 0) return;
    if (this.#plot === undefined) this.#draw();
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #uplotOptions(): uPlot.Options {
    const { switched, fromZero, together } = this.#options;
    const axis = {
      stroke: () => this.#ink('axis'),
      grid: { stroke: () => this.#ink('grid'), width: 1 },
      ticks: { show: false },
      font: FONT,
    };
    return {
      width: this.#canvas.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, ...(together && { sync: { key: together } }) },
      scales: {
        x: { range: (_, min, max) => [...(this.#window ?? spread(min, max))] as [number, number] },
        y: {
          range: (_, min, max) =>
            switched ? [-0.15, 1.15] : fromZero ? [0, Math.max(1, max * 1.08)] : padded(min, max),
        },
      },
      axes: [
        { ...axis, values: TICKS, space: 64 },
        {
          ...axis,
          size: 50,
          ...(switched && { splits: [0, 1] }),
          values: (_, ticks) => ticks.map(switched ? switchText : valueText),
        },
      ],
      series: [
        {},
        {
          stroke: () => this.#ink('line'),
          fill: () => this.#ink('fill'),
          width: 1.75,
          points: { size: 4, fill: () => this.#ink('line') },
          ...((switched || fromZero) && { paths: uPlot.paths.stepped!({ align: 1 }) }),
        },
      ],
      hooks: { setCursor: [plot => this.#tell(plot.cursor.idx ?? undefined)] },
    };
  }

  /** The last value, or that under the cursor; between which values it all lies. */
  #tell(index?: number): void {
    const { title, unit, switched } = this.#options;
    const text =
      this.#options.text ??
      (switched ? switchText : (value: number) => `${valueText(value)} ${unitText(unit)}`.trim());
    const known = this.#values.filter(value => value !== null);
    const last = known.at(-1);
    const pointed = index === undefined ? undefined : this.#values[index];
    setText(this.#value, last === undefined ? '' : text(pointed ?? last));
    if (last === undefined) {
      setText(this.#range, '');
      return;
    }
    let low = last;
    let high = last;
    for (const value of known) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const between = low === high ? '' : `${switched ? text(low) : valueText(low)} to ${text(high)}`;
    setText(
      this.#range,
      index === undefined || pointed == null ? between : timeText(this.#times[index]! * 1000),
    );
    this.#canvas.setAttribute('aria-label', `${title}: ${text(last)} last, ${between}`);
  }

  #ink(name: 'line' | 'fill' | 'axis' | 'grid'): string {
    let probe = this.element.querySelector(`:scope > .ink-${name}`);
    if (probe === null) {
      probe = el('span', { class: `ink-${name}`, hidden: true });
      this.element.append(probe);
    }
    return getComputedStyle(probe).color;
  }
}

const switchText = (value: number) => (value > 0 ? 'true' : 'false');

/** A constant value is drawn in the middle, and nothing touches the edge. */
function padded(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const room = min === max ? Math.max(Math.abs(min) * 0.05, 0.5) : (max - min) * 0.12;
  return [min - room, max + room];
}

const spread = (min: number, max: number): [number, number] =>
  min === max ? [min - 30, max + 30] : [min, max];
