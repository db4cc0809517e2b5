import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Command } from 'commander';
import type { Terminal } from '../../../host/cli/output.js';
import { Fault } from '../../../host/fault.js';

/** A terminal that remembers. */
export function fakeTerminal(
  options: { terminal?: boolean; columns?: number; environment?: Record<string, string> } = {},
) {
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') => ({
    terminal: options.terminal ?? false,
    columns: options.columns ?? 80,
    write: async (text: string) => {
      written[name] += text;
    },
  });
  const terminal: Terminal = {
    out: sink('out'),
    err: sink('err'),
    environment: name => options.environment?.[name],
  };
  return { terminal, written };
}

export interface Outcome {
  out: string;
  err: string;
  lines: string[];
  fault: Fault | undefined;
  /** Of each line. */
  json(): Record<string, unknown>[];
}

/** Runs one command as a function. */
export async function runCommand(
  register: (program: Command, terminal?: Terminal) => void,
  args: readonly string[],
  options: Parameters<typeof fakeTerminal>[0] = {},
): Promise<Outcome> {
  const { terminal, written } = fakeTerminal(options);
  const program = new Command('sovereign').exitOverride();
  register(program, terminal);
  const capture = {
    writeOut: (text: string) => {
      written.out += text;
    },
    writeErr: (text: string) => {
      written.err += text;
    },
  };
  for (const command of program.commands) {
    command.exitOverride().configureOutput(capture);
    for (const child of command.commands) (child as Command).exitOverride().configureOutput(capture);
  }
  let fault: Fault | undefined;
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    fault = error;
  }
  const lines = written.out.split('\n').slice(0, -1);
  return { ...written, lines, fault, json: () => lines.map(line => JSON.parse(line)) };
}

export function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-cli-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
