/**
 * A run of virtual devices in several processes: the devices are shared out by their numbers, one process has device 1, 1 + n, …,
 * the next device 2, 2 + n, … This one starts them, passes on their lines, adds up what they have done, and says what
 * a single process would.
 */
import { Fault } from '../../fault.js';
import { type Child, type PartMessage, startPart } from '../../node/child.js';
import type { Clock, Timer } from '../../ports.js';
import type { Output } from '../output.js';
import { Bottleneck, type Progress } from './bottleneck.js';
import { progressText } from './fleet.js';

/** How often a part tells what it has done, and the whole looks at it. */
export const TELL_MS = 250;
const LOOKS_EVERY = 4;

export interface PartsOptions {
  readonly processes: number;
  readonly cores: number;
  readonly devices: number;
  /** Of each device: a second, and in all (0: for ever). */
  readonly rate: number;
  readonly readings: number;
  /** Of a part, but which one it is. */
  readonly args: readonly string[];
}

export class Parts {
  readonly #options: PartsOptions;
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #bottleneck: Bottleneck;
  readonly #told = new Map<number, Progress>();
  #children: Child[] = [];
  #timer: Timer | undefined;
  #looks = 0;
  #note = '';
  #stopped = false;

  constructor(options: PartsOptions, ports: { readonly output: Output; readonly clock: Clock }) {
    this.#options = options;
    this.#output = ports.output;
    this.#clock = ports.clock;
    const { rate, devices, processes, cores } = options;
    this.#bottleneck = new Bottleneck(rate * devices, processes, cores);
  }

  /** Resolves when all have ended. @throws Fault when one has failed, `output-closed` when nobody reads the lines any more */
  async run(): Promise<Progress> {
    const { processes, args } = this.#options;
    let failed: unknown;
    const fail = (error: unknown) => {
      failed ??= error;
      this.stop();
    };
    const numbers = Array.from({ length: processes }, (_, i) => i + 1);
    this.#children = numbers.map(number =>
      startPart([...args, '--part', `${number}/${processes}`], {
        lines: text => this.#output.line(text).catch(fail),
        said: message => this.#said(number, message),
      }),
    );
    this.#tick();
    const states = await Promise.all(this.#children.map(child => this.#whenEnded(child)));
    this.#timer?.cancel();
    this.#output.progress('');
    if (failed !== undefined) throw failed;
    const number = states.findIndex(status => status !== 0) + 1;
    if (number > 0 && !this.#stopped)
      throw new Fault(
        'part-failed',
        `process ${number} of ${processes} ended with status ${states[number - 1]}`,
      );
    return this.#progress();
  }

  stop(): void {
    this.#stopped = true;
    for (const child of this.#children) child.stop();
  }

  /** One that fails takes the others with it. */
  async #whenEnded(child: Child): Promise<number> {
    const status = await child.ended;
    if (status !== 0 && !this.#stopped) for (const other of this.#children) other.stop();
    return status;
  }

  #said(number: number, message: PartMessage): void {
    if (typeof message.note === 'string') {
      // Each has something to say about the same gateway.
      if (message.note !== this.#note) void this.#output.note(message.note).catch(() => {});
      this.#note = message.note;
    } else this.#told.set(number, message as unknown as Progress);
  }

  #tick(): void {
    this.#timer = this.#clock.after(TELL_MS, () => this.#tick());
    const progress = this.#progress();
    const { devices, readings } = this.#options;
    this.#output.progress(progressText(progress, devices, readings, false));
    if (this.#told.size < this.#options.processes || ++this.#looks % LOOKS_EVERY !== 0) return;
    const text = this.#bottleneck.look(progress, this.#clock.monotonic());
    if (text !== undefined) void this.#output.note(text).catch(() => {});
  }

  #progress(): Progress {
    const all = [...this.#told.values()];
    const sum = (of: (progress: Progress) => number) =>
      all.reduce((total, progress) => total + of(progress), 0);
    return {
      sealed: sum(({ sealed }) => sealed),
      receipted: sum(({ receipted }) => receipted),
      lost: sum(({ lost }) => lost),
      recovered: sum(({ recovered }) => recovered),
      steady: all.every(({ steady }) => steady),
      busy: Math.max(0, ...all.map(({ busy }) => busy)),
    };
  }
}
