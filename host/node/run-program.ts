import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * Runs a program to its end and passes on what it says, which is for people: it goes to standard error, so that
 * standard output stays free for data.
 * @param line told of each line
 * @returns its exit status, 1 when a signal ended it; undefined when it could not be started
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly directory: string; readonly environment: Readonly<Record<string, string>> },
  line: (text: string) => void = () => {},
): Promise<number | undefined> {
  const child = spawn(program, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', text => {
      process.stderr.write(`${text}\n`);
      line(text);
    });
  try {
    const [code] = await once(child, 'close');
    return (code as number | null) ?? 1;
  } catch {
    return undefined;
  }
}
