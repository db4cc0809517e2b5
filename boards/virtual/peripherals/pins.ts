/** Pins of the virtual board behind ECMA-419 Analog, Digital and PulseCount. */

/** A converter with one input. */
export class AnalogPin {
  /** Code that is read next; a list is read in turn, over and over. */
  codes: number | readonly (number | undefined)[] = 0;
  /** `gone`: every read throws. */
  state: 'works' | 'gone' = 'works';
  readonly resolution: number;
  opened = 0;
  reads = 0;

  constructor(resolution = 12) {
    this.resolution = resolution;
  }

  open(): { readonly resolution: number; read(): number | undefined; close(): void } {
    if (this.state === 'gone') throw new Error('in use');
    const pin = this;
    pin.opened++;
    return {
      resolution: pin.resolution,
      read(): number | undefined {
        if (pin.state === 'gone') throw new Error('read failed');
        const { codes } = pin;
        const n = pin.reads++;
        return typeof codes === 'number' ? codes : codes[n % codes.length];
      },
      close(): void {
        pin.opened--;
      },
    };
  }
}

/**
 * A converter as an SDK has it that chooses the channel when an input is made and not when it is read:
 * of two inputs both give what the last one sees.
 */
export function crossedAnalog(codes: Readonly<Record<number, number>>) {
  let chosen = -1;
  return class CrossedAnalog {
    static made = 0;
    readonly resolution = 12;

    constructor(options: { pin: number }) {
      CrossedAnalog.made++;
      chosen = options.pin;
    }

    read(): number {
      return codes[chosen];
    }

    close(): void {}
  };
}

/** A pin whose edges call `onReadable`, unless they come while JavaScript is busy. */
export class DigitalPin {
  level: number;
  state: 'works' | 'gone' = 'works';
  /** While true, edges are remembered as one and told when it is false again: `release`. */
  busy = false;
  /** Edges are never told: an interrupt that is lost. */
  deaf = false;
  opened = 0;
  #onReadable: (() => void) | undefined;
  #pending = false;

  constructor(level: number) {
    this.level = level;
  }

  readonly open = (onReadable: () => void): { read(): number; close(): void } => {
    if (this.state === 'gone') throw new Error('in use');
    this.opened++;
    this.#onReadable = onReadable;
    return {
      read: () => {
        if (this.state === 'gone') throw new Error('read failed');
        return this.level;
      },
      close: () => {
        this.opened--;
        this.#onReadable = undefined;
      },
    };
  };

  set(level: number): void {
    if (level === this.level) return;
    this.level = level;
    if (this.deaf) return;
    if (this.busy) this.#pending = true;
    else this.#onReadable?.();
  }

  release(): void {
    this.busy = false;
    if (this.#pending) this.#onReadable?.();
    this.#pending = false;
  }
}

/** A counter of `bits` that goes from its highest code to its lowest. */
export class CounterPin {
  state: 'works' | 'gone' = 'works';
  opened = 0;
  #code = 0;
  readonly #span: number;

  constructor(bits = 32) {
    this.#span = 2 ** bits;
  }

  pulse(count: number): void {
    const half = this.#span / 2;
    this.#code = ((((this.#code + count + half) % this.#span) + this.#span) % this.#span) - half;
  }

  readonly open = (): { read(): number; close(): void } => {
    if (this.state === 'gone') throw new Error('no pcnt');
    this.opened++;
    this.#code = 0;
    return {
      read: () => {
        if (this.state === 'gone') throw new Error('read failed');
        return this.#code;
      },
      close: () => {
        this.opened--;
      },
    };
  };
}
