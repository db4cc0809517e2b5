import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a program that talks to the same terminal, to its end.
 * @returns its exit status, 1 when a signal ended it; undefined when it could not be started
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly directory: string; readonly environment: Readonly<Record<string, string>> },
): Promise<number | undefined> {
  const child = spawn(program, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    // What it says is for people: standard output stays free for data.
    stdio: ['ignore', 2, 2],
  });
  try {
    const [code] = await once(child, 'exit');
    return (code as number | null) ?? 1;
  } catch {
    return undefined;
  }
}
