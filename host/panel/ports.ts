/** The GPIO lines of this machine, as `host/node/gpio.ts` has them. Lines are numbered within their chip, from 0. */
export interface Lines {
  /** Drives a line, off at first. @throws Fault when there is no such line, or none that this user may drive */
  output(line: number, activeLow: boolean): Promise<OutputLine>;
  /** @throws Fault as `output` does */
  input(line: number): Promise<InputLine>;
}

export interface OutputLine {
  /** @throws the system's error */
  write(on: boolean): void;
  /** Leaves the line off, if it is still there. Throws nothing. */
  close(): void;
}

export interface InputLine {
  /** Whether the line is high. @throws the system's error */
  read(): boolean;
  /** `listener` is called soon after the level may have changed. */
  watch(listener: () => void): void;
  /** Throws nothing. */
  close(): void;
}
