/** Programs whose clock is wrong, by libfaketime. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian keeps it in a folder of the architecture. */
const LIBRARIES = '/usr/lib';

/** The path of the library, or undefined when it is not installed. */
export function findFakeTime(): string | undefined {
  const folders = readdirSync(LIBRARIES).map(name => join(LIBRARIES, name));
  return [LIBRARIES, ...folders]
    .map(folder => join(folder, 'faketime', 'libfaketimeMT.so.1'))
    .find(path => existsSync(path));
}

/** A clock that the test sets while the program runs: `@1970-01-01 00:00:10`, or a distance from the true time. */
export class FakeTime {
  readonly env: NodeJS.ProcessEnv;
  readonly #file: string;

  /** @param file where the time is written for the program */
  constructor(library: string, file: string, text: string) {
    this.#file = file;
    this.set(text);
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // Timers run on the monotonic clock, which nobody sets.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  set(text: string): void {
    writeFileSync(this.#file, `${text}\n`);
  }
}
