/** All virtual devices of one run, and what is to be said of them. */
import { type Digest, toHex } from '../../../firmware/seal/index.js';
import type { Clock, LinkSource, Random, Timer } from '../../ports.js';
import type { Output } from '../output.js';
import type { Progress } from './bottleneck.js';
import { ReceiptLines } from './receipts.js';
import type { Board, Part } from './state.js';
import { VirtualDevice } from './virtual-device.js';

/** Makes the link of one device. */
export interface Way {
  source: LinkSource;
  /** Told when the gateway has answered on it. */
  settled(): void;
}

export interface FleetOptions {
  readonly rate: number;
  readonly readings: number;
  readonly seed: number;
  /** Which of all devices these are: each has a seed of its own. */
  readonly part?: Part;
  /** As the user gave it, for messages. */
  readonly link: string;
}

export interface FleetPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly output: Output;
  /**
   * @param failed told when the gateway can't be reached, and why
   * @param device the device's id, 16 hex digits
   */
  readonly way: (failed: (reason: string) => void, device: string) => Way;
  /** The share of the time since the last call in which this process was not idle. */
  readonly busy: () => number;
}

const PROGRESS_MS = 200;

export class Fleet {
  sealed = 0;
  receipted = 0;
  lost = 0;
  /** Held from earlier runs when this one began. */
  recovered = 0;
  readonly #options: FleetOptions;
  readonly #ports: FleetPorts;
  readonly #devices: VirtualDevice[] = [];
  readonly #ways: Way[] = [];
  readonly #lines: ReceiptLines;
  readonly #digest = new Uint8Array(32);
  #connected = 0;
  /** All devices before this one are done. */
  #firstBusy = 0;
  #away = false;
  #started = false;
  #stopped = false;
  #progress: Timer | undefined;
  #end!: () => void;
  #fail!: (error: unknown) => void;
  readonly #ended: Promise<void>;

  constructor(boards: readonly Board[], options: FleetOptions, ports: FleetPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    this.#ended.catch(() => {}); // `run` may still be starting devices; it awaits this afterwards
    this.#lines = new ReceiptLines(
      ports.output,
      full => this.#hold(full),
      error => {
        this.#stopped = true;
        this.#fail(error);
      },
    );
    for (let i = 0; i < boards.length; i++) this.#add(boards[i], i);
  }

  /** Resolves when every reading is receipted, or after `stop`. Rejects with what can't be gone on with. */
  async run(): Promise<void> {
    try {
      this.#showProgress();
      for (let i = 0; i < this.#devices.length; i++) {
        const device = this.#devices[i];
        device.start();
        // Each start waits for the disk: those that run already are not to wait with it.
        await new Promise<void>(resume => this.#ports.clock.after(0, resume));
        if (this.#stopped) break;
        await this.#ways[i].source.start(link => {
          this.#connected++;
          const handler = device.link(link);
          return {
            data: bytes => {
              handler.data(bytes);
              if (device.done) this.#look();
            },
            closed: reason => {
              this.#connected--;
              handler.closed(reason);
            },
          };
        });
      }
      this.#started = true;
      await this.#ended;
    } finally {
      this.#progress?.cancel();
      this.#ports.output.progress('');
      await Promise.all(this.#ways.map(way => way.source.stop()));
      for (const device of this.#devices) device.stop();
    }
    await this.#lines.flush();
  }

  stop(): void {
    this.#stopped = true;
    this.#end();
  }

  /** What has been done so far; `busy` is since the last call. */
  progress(): Progress {
    const { sealed, receipted, lost, recovered } = this;
    const steady = this.#started && this.#devices.every(device => !device.quiet);
    return { sealed, receipted, lost, recovered, steady, busy: this.#ports.busy() };
  }

  #add(board: Board, index: number): void {
    const { rate, readings, part = { number: 1, of: 1 } } = this.#options;
    const seed = this.#options.seed + part.number - 1 + index * part.of;
    const way = this.#ports.way(reason => this.#absent(reason), board.id);
    const device = new VirtualDevice(board, { rate, readings, seed }, this.#ports, {
      sealed: () => {
        this.sealed++;
      },
      receipted: (epoch, seq, buffer, from, to) => {
        this.receipted++;
        if (!this.#ports.output.json) return;
        this.#ports.digest.sha256(buffer, from, to, this.#digest, 0);
        this.#lines.add(board.id, epoch, seq, toHex(this.#digest));
      },
      lost: () => {
        this.lost++;
      },
      opened: () => {
        way.settled();
        this.#present();
      },
    });
    this.#devices.push(device);
    this.recovered += device.held;
    this.#ways.push(way);
  }

  /** Said once each time the gateway goes, not by every device. */
  #absent(reason: string): void {
    if (this.#away || this.#connected > 0) return;
    this.#away = true;
    const { output } = this.#ports;
    void output
      .note(`no gateway at ${this.#options.link} (${reason}): devices keep their readings and try again`)
      .catch(() => {});
  }

  #present(): void {
    if (!this.#away) return;
    this.#away = false;
    void this.#ports.output.note(`the gateway at ${this.#options.link} answers`).catch(() => {});
  }

  /** Looks whether all are done; only ever asked by a device that is, so it costs little in all. */
  #look(): void {
    while (this.#firstBusy < this.#devices.length && this.#devices[this.#firstBusy].done) this.#firstBusy++;
    if (this.#firstBusy === this.#devices.length) this.#end();
  }

  #hold(full: boolean): void {
    for (const device of this.#devices) {
      if (full) device.pause();
      else device.resume();
    }
  }

  #showProgress(): void {
    const { output, clock } = this.#ports;
    if (!output.interactive) return;
    output.progress(progressText(this, this.#devices.length, this.#options.readings, this.#away));
    this.#progress = clock.after(PROGRESS_MS, () => this.#showProgress());
  }
}

/** @param readings of each device; 0: for ever */
export function progressText(
  { sealed, receipted, lost, recovered }: Pick<Progress, 'sealed' | 'receipted' | 'lost' | 'recovered'>,
  devices: number,
  readings: number,
  away: boolean,
): string {
  const whole = readings > 0 ? ` of ${readings * devices + recovered}` : '';
  const given = lost > 0 ? `, ${lost} lost` : '';
  const gateway = away ? ', gateway offline' : '';
  return `${devices} devices: ${receipted}${whole} readings receipted, ${recovered + sealed - receipted - lost} held${given}${gateway}`;
}
