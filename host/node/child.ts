/** Commands of this program as processes of their own. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';

export interface Child {
  /** The exit status; 1 when a signal ended it. */
  readonly ended: Promise<number>;
  stop(): void;
}

/** @param logFile where its output goes, appended; absent: it shares our terminal */
export function startSelf(args: readonly string[], logFile?: string): Child {
  const log = logFile === undefined ? undefined : openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [process.argv[1]!, ...args], {
    // Out of reach of the terminal's Ctrl-C, so that it ends when its turn has come.
    detached: log !== undefined,
    stdio: log === undefined ? 'inherit' : ['ignore', log, log],
  });
  if (log !== undefined) closeSync(log);
  return {
    ended: new Promise(resolve => {
      child.once('error', () => resolve(1));
      child.once('exit', code => resolve(code ?? 1));
    }),
    stop: () => void child.kill('SIGTERM'),
  };
}

/** A port of the loopback interface that nothing listened on a moment ago. */
export async function freeLoopbackPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}
