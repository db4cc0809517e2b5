import type { BoardPorts } from '../../firmware/board.js';
import type { Source } from '../../firmware/sensors/source.js';
import { ChipEnded, VirtualChip } from './chip.js';
import { VirtualFlash } from './flash.js';
import * as digest from './native-digest.js';
import { VirtualEntropy } from './native-random.js';
import { type Hardware, virtualPins } from './pins.js';
import { SeededRandom } from './random.js';
import { virtualSources } from './sources.js';
import { VirtualTimer } from './timer.js';
import { VirtualUsb } from './usb.js';

const SECTORS = 16;

/** A whole board with nothing on it yet. What a reset spares stays: flash, and the chip's retained memory. */
export class VirtualMachine implements Hardware {
  readonly flash = new VirtualFlash({ sectors: SECTORS });
  readonly usb = new VirtualUsb();
  readonly chip: VirtualChip;
  readonly timer: VirtualTimer;
  readonly entropy: VirtualEntropy;
  button = false;
  lit = false;
  sources: (ports: BoardPorts) => Source[];
  /** What `firmware/main.ts` imports from outside, by name. */
  readonly modules: Readonly<Record<string, object>>;
  #program: () => void = () => undefined;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.chip = new VirtualChip(random);
    this.timer = new VirtualTimer(this.chip);
    this.entropy = new VirtualEntropy(random);
    this.sources = () => virtualSources(random, 1);
    const { chip, entropy, timer } = this;
    this.modules = {
      'boards/this/pins': { board: virtualPins(this) },
      'native/chip': chip,
      'native/digest': digest,
      'native/random': entropy,
      timer,
    };
  }

  /** Puts a program on the board and gives it power. @param program evaluates it, once for each start */
  start(program: () => void): void {
    this.#program = program;
    this.boot();
  }

  /** The program starts anew, for the reason that it ended; while it runs, power is cut and comes back. */
  boot(): void {
    this.usb.close();
    this.timer.clear();
    this.lit = false;
    this.chip.boot();
    this.#alive(this.#program);
  }

  /** Lets time pass, until the program ends: `chip.ended` says why. */
  run(ms: number): void {
    this.#alive(() => this.timer.run(ms));
  }

  /** Calls into the running program, as the engine does. Its end is no failure of the caller's. */
  interrupt(call: () => void): void {
    this.#alive(call);
  }

  #alive(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ChipEnded)) throw error;
    }
    if (this.chip.ended !== '') this.usb.close();
  }
}
