import { Fault } from '../../../host/fault.js';
import type { InputLine, Lines, OutputLine } from '../../../host/panel/ports.js';

/** A line whose level the test sets. */
export class FakeInput implements InputLine {
  error: Error | undefined;
  closed = false;
  #high = false;
  #listener: () => void = () => {};

  /** @param told whether the edge is told */
  set(high: boolean, told = true): void {
    this.#high = high;
    if (told && !this.closed) this.#listener();
  }

  read(): boolean {
    if (this.error) throw this.error;
    return this.#high;
  }

  watch(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.closed = true;
  }
}

/** GPIO of a machine that has what the test gives it. */
export class FakeLines implements Lines {
  readonly written: boolean[] = [];
  readonly #inputLine: FakeInput | undefined;

  constructor(input?: FakeInput) {
    this.#inputLine = input;
  }

  async output(): Promise<OutputLine> {
    if (this.#inputLine === undefined) throw absent();
    return { write: on => void this.written.push(on), close: () => void this.written.push(false) };
  }

  async input(): Promise<InputLine> {
    if (this.#inputLine === undefined) throw absent();
    return this.#inputLine;
  }
}

const absent = () =>
  new Fault('gpio-absent', 'this machine has no GPIO lines', 'take panel out of the configuration');
