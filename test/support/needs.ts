import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** Where Debian keeps servers, which are not on an ordinary user's PATH. */
const SEARCHED = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];

/** The path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const directory of SEARCHED) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * For a test that runs a real program: its path, or undefined when it is not installed, with a line that
 * says which Debian package brings it. In CI a missing program fails the test.
 */
export function needs(t: ExecutionContext, program: string, debianPackage = program): string | undefined {
  const path = findProgram(program);
  if (path !== undefined) return path;
  notRun(t, `${program} is not installed: apt-get install ${debianPackage}`);
  return undefined;
}

/** For a test that cannot run: says why. In CI that fails it. */
export function notRun(t: ExecutionContext, remedy: string): void {
  if (process.env.CI) t.fail(remedy);
  else {
    t.log(`NOT RUN: ${remedy}`);
    t.pass();
  }
}

/** For a test that this machine does not allow, in CI neither: says why, and is none. */
export function notAllowed(t: ExecutionContext, reason: string): void {
  t.log(`NOT RUN: ${reason}`);
  t.pass();
}
