/** The class of an ECMA-419 IO or driver; its options differ from class to class. */
export type ClassOf<T> = new (options: never) => T;

/** `sensor` in the options of an ECMA-419 driver: the IO's class, pins, and what the driver's defaults lack. */
export interface SensorOptions<I> {
  readonly io: ClassOf<I>;
  readonly address?: number;
  readonly [option: string]: unknown;
}

/**
 * Knows the IO that a driver opened. A driver whose constructor throws (nobody at that address) leaves its IO
 * open, out of reach, and the address taken: every later attempt would fail with "duplicate address".
 */
export class Keeper<I extends object> {
  /** In place of the real class: makes instances of it and remembers them. */
  readonly io: ClassOf<I>;
  readonly #opened: I[] = [];

  constructor(io: ClassOf<I>) {
    const opened = this.#opened;
    const Real = io as new (options: unknown) => I;
    function Kept(options: unknown): I {
      const instance = new Real(options);
      opened.push(instance);
      return instance;
    }
    // Drivers find constants such as `Input` on the class.
    Object.setPrototypeOf(Kept, Real);
    this.io = Kept as unknown as ClassOf<I>;
  }

  /** The IO opened last, if any. */
  get last(): I | undefined {
    return this.#opened.length > 0 ? this.#opened[this.#opened.length - 1] : undefined;
  }

  /** Closes what is open; closing twice is harmless in ECMA-419. */
  close(): void {
    while (this.#opened.length > 0) {
      const instance = this.#opened.pop() as { close?(): void };
      try {
        instance.close?.();
      } catch {
        // Closed already, or gone with its bus.
      }
    }
  }
}
