/**
 * GPIO lines, through `onoff` where it is installed, over the kernel's files otherwise (`epoll`, which `onoff` needs to be told
 * of edges, is compiled when it is installed; without it, lines are looked at).
 *
 * The kernel numbers all lines of all chips in one row: /sys/class/gpio/gpiochip<base> has the `base`, the number of lines
 * (`ngpio`) and the `label` of each chip. On a Raspberry Pi 5 and with Linux 6.6 or later, the header does not begin at 0: there
 * a line is its chip's base and its own number.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault, systemCode } from '../fault.js';
import type { InputLine, Lines, OutputLine } from '../panel/ports.js';

/** What is used of `onoff`. */
export interface OnoffGpio {
  readSync(): number;
  writeSync(value: 0 | 1): void;
  watch(listener: (error: Error | null | undefined, value: number) => void): void;
  unexport(): void;
}

export interface Onoff {
  readonly Gpio: new (
    line: number,
    direction: 'in' | 'low' | 'high',
    edge?: 'both' | object,
    options?: { activeLow?: boolean },
  ) => OnoffGpio;
}

export interface GpioOptions {
  /** Of the chip that is meant; absent: the one of the machine's header. */
  readonly chip?: string | undefined;
  readonly root?: string;
  /** Resolves to nothing where it is not installed, or does not run on this machine. */
  readonly load?: () => Promise<Onoff | undefined>;
}

interface Chip {
  readonly base: number;
  readonly count: number;
  readonly label: string;
}

/** Of the 40-pin header of Raspberry Pis: 5, 4, and those before. */
const HEADERS = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'];
export const GPIO_CLASS = '/sys/class/gpio';
/** udev gives a line that was just exported to its group after a moment. */
const EXPORT_MS = 2000;
const EXPORT_STEP_MS = 20;
const POLL_MS = 20;

export class NodeGpio implements Lines {
  readonly #root: string;
  readonly #chip: string | undefined;
  readonly #load: () => Promise<Onoff | undefined>;

  constructor({ chip, root = GPIO_CLASS, load }: GpioOptions = {}) {
    this.#root = root;
    this.#chip = chip;
    // `onoff` knows no other place than the kernel's.
    this.#load = load ?? (root === GPIO_CLASS ? loadOnoff : async () => undefined);
  }

  async output(line: number, activeLow: boolean): Promise<OutputLine> {
    const number = this.numberOf(line);
    const onoff = await this.#load();
    return faulty(line, async () => {
      if (onoff === undefined) return FileOutput.open(this.#root, number, activeLow);
      const gpio = new onoff.Gpio(number, dark(activeLow), { activeLow });
      gpio.writeSync(0);
      return {
        write: on => gpio.writeSync(on ? 1 : 0),
        close: () => {
          ignoring(() => gpio.writeSync(0));
          ignoring(() => gpio.unexport());
        },
      };
    });
  }

  async input(line: number): Promise<InputLine> {
    const number = this.numberOf(line);
    const onoff = await this.#load();
    return faulty(line, async () => {
      if (onoff === undefined) return FileInput.open(this.#root, number);
      const gpio = new onoff.Gpio(number, 'in', 'both');
      return {
        read: () => gpio.readSync() === 1,
        watch: listener => gpio.watch(() => listener()),
        close: () => ignoring(() => gpio.unexport()),
      };
    });
  }

  /** What the kernel calls a line. @throws Fault `gpio-absent`, `gpio-chip`, `gpio-line` */
  numberOf(line: number): number {
    const chips = this.#chips();
    const chip =
      this.#chip === undefined
        ? (HEADERS.map(label => chips.find(chip => chip.label === label)).find(Boolean) ??
          (chips.length === 1 ? chips[0] : undefined))
        : chips.find(({ label }) => label === this.#chip);
    if (chip === undefined) {
      const labels = chips.map(({ label }) => label).join(', ');
      throw new Fault(
        'gpio-chip',
        this.#chip === undefined
          ? `none of the GPIO chips of this machine is known: ${labels}`
          : `no GPIO chip is called ${this.#chip}; there are ${labels}`,
        'put the label of the right one into panel.chip',
      );
    }
    if (line >= chip.count)
      throw new Fault(
        'gpio-line',
        `GPIO ${line}: ${chip.label} has lines 0 to ${chip.count - 1}`,
        'mend panel in the configuration; lines have the BCM numbers, not those of the pins',
      );
    return chip.base + line;
  }

  #chips(): Chip[] {
    try {
      const chips = readdirSync(this.#root)
        .filter(name => name.startsWith('gpiochip'))
        .map(name => {
          const text = (file: string) => readFileSync(join(this.#root, name, file), 'utf8').trim();
          return { base: Number(text('base')), count: Number(text('ngpio')), label: text('label') };
        });
      if (chips.length > 0) return chips;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw unusable('GPIO', error);
    }
    throw new Fault(
      'gpio-absent',
      `this machine has no GPIO lines in ${this.#root}`,
      'take panel out of the configuration; a kernel without CONFIG_GPIO_SYSFS does not show them',
    );
  }
}

/** The level at which what hangs on the line is off. */
const dark = (activeLow: boolean) => (activeLow ? 'high' : 'low');

async function loadOnoff(): Promise<Onoff | undefined> {
  try {
    return (await import('onoff')) as Onoff;
  } catch {
    return undefined; // optional, and native
  }
}

async function faulty<T>(line: number, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw error instanceof Fault ? error : unusable(`GPIO ${line}`, error);
  }
}

function unusable(what: string, error: unknown): Fault {
  const code = systemCode(error);
  const remedy =
    code === 'EBUSY'
      ? 'another program or a driver uses this line; take another'
      : 'let the user of the gateway into the group gpio';
  return new Fault('gpio-unusable', `${what} can’t be used: ${code || String(error)}`, remedy, error);
}

/** Makes the kernel show a line. @returns its directory */
async function exported(root: string, number: number, direction: 'in' | 'low' | 'high'): Promise<string> {
  const directory = join(root, `gpio${number}`);
  if (!existsSync(directory)) writeFileSync(join(root, 'export'), String(number));
  for (let waitedMs = 0; ; waitedMs += EXPORT_STEP_MS) {
    try {
      writeFileSync(join(directory, 'direction'), direction, { flag: 'r+' });
      return directory;
    } catch (error) {
      if (waitedMs >= EXPORT_MS) throw error;
      await pause(EXPORT_STEP_MS);
    }
  }
}

function hide(root: string, number: number): void {
  ignoring(() => writeFileSync(join(root, 'unexport'), String(number)));
}

/** Who closes a line that is gone already has what he wants, and goes on with what else is to be ended. */
function ignoring(step: () => void): void {
  try {
    step();
  } catch {
    // it is gone
  }
}

const FileOutput = {
  async open(root: string, number: number, activeLow: boolean): Promise<OutputLine> {
    const directory = await exported(root, number, dark(activeLow));
    writeFileSync(join(directory, 'active_low'), activeLow ? '1' : '0', { flag: 'r+' });
    const write = (on: boolean) => writeFileSync(join(directory, 'value'), on ? '1' : '0', { flag: 'r+' });
    write(false);
    return {
      write,
      close: () => {
        ignoring(() => write(false));
        hide(root, number);
      },
    };
  },
};

const FileInput = {
  async open(root: string, number: number): Promise<InputLine> {
    const value = join(await exported(root, number, 'in'), 'value');
    let timer: NodeJS.Timeout | undefined;
    return {
      read: () => readFileSync(value, 'utf8').trim() === '1',
      watch: listener => {
        const look = () => {
          try {
            return readFileSync(value, 'utf8');
          } catch {
            return ''; // whoever is told will find out
          }
        };
        let last = look();
        timer = setInterval(() => {
          const level = look();
          if (level === last) return;
          last = level;
          listener();
        }, POLL_MS);
      },
      close: () => {
        clearInterval(timer);
        hide(root, number);
      },
    };
  },
};
