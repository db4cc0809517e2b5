import type { AnalogIo } from './analog-input.js';
import type { ClassOf } from './keeper.js';

/**
 * An Analog class whose instances may be used in turn where the SDK's may not: on a Pico its Analog (SDK 8.2)
 * chooses the converter's channel when it is made and not when it is read, so of two inputs both give what the
 * second one sees. Here an input is made anew when another one was read in between; a single input never is.
 */
export function shareConverter<O>(analog: ClassOf<AnalogIo> & (new (options: O) => AnalogIo)) {
  let chosen: object | undefined;
  return class SharedAnalog implements AnalogIo {
    readonly resolution: number;
    readonly #options: O;
    #io: AnalogIo | undefined;

    constructor(options: O) {
      this.#options = options;
      this.resolution = this.#choose().resolution;
    }

    read(): number | undefined {
      const io = chosen === this && this.#io !== undefined ? this.#io : this.#choose();
      return io.read();
    }

    close(): void {
      if (chosen === this) chosen = undefined;
      this.#io?.close?.();
      this.#io = undefined;
    }

    #choose(): AnalogIo {
      this.close();
      const io = new analog(this.#options);
      this.#io = io;
      chosen = this;
      return io;
    }
  };
}
