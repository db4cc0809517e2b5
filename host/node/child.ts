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

/**
 * A port of the loopback interface that nothing listened on a moment ago.
 * @param wished this one, when it is free
 */
export async function freeLoopbackPort(wished = 0): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', error => {
      if (wished === 0) reject(error);
      else resolve(freeLoopbackPort());
    });
    server.listen(wished, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  if (server.listening) await new Promise(resolve => server.close(resolve));
  return port;
}

/** What a part of a command says to the whole of it; see `startPart`. */
export type PartMessage = Readonly<Record<string, number | string | boolean>>;

export interface PartListener {
  /** Whole lines of its standard output, the next ones only when this resolves. */
  lines(text: string): Promise<void>;
  said(message: PartMessage): void;
}

/** Starts this program again for a part of the work. What goes wrong there stands on our standard error. */
export function startPart(args: readonly string[], listener: PartListener): Child {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.on('message', message => listener.said(message as PartMessage));
  const relayed = relayLines(child.stdout!, listener);
  return {
    ended: new Promise(resolve => {
      child.once('error', () => resolve(1));
      child.once('close', code => void relayed.then(() => resolve(code ?? 1)));
    }),
    stop: () => void child.kill('SIGTERM'),
  };
}

async function relayLines(output: AsyncIterable<Buffer>, listener: PartListener): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of output) {
      const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = all.lastIndexOf(0x0a);
      rest = all.subarray(end + 1);
      if (end > 0) await listener.lines(all.toString('utf8', 0, end));
    }
  } catch {
    // Nobody reads what we say: the whole hears of that by itself.
  }
}

/** Where this process is such a part: says something to the whole. */
export function tellWhole(message: PartMessage): void {
  if (process.connected) process.send?.(message);
}

/** Calls `run` when the whole is gone. @returns what ends the connection, which keeps a process alive */
export function onWholeGone(run: () => void): () => void {
  process.once('disconnect', run);
  return () => {
    process.off('disconnect', run);
    if (process.connected) process.disconnect();
  };
}
