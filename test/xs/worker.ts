/**
 * One XS engine in a process of its own, spoken to over its file descriptors 3 and 4 in netstrings:
 * `<length>:<command><body>,`. Commands: `e` evaluates a script, `?` hands an ArrayBuffer to the global
 * `handleCommand`. Answers: `.{"compute":…}\x01<ArrayBuffer>` or `!<message of the exception>`.
 *
 * An unhandled rejection shows only on the engine's standard error while the command succeeds. Standard error
 * is therefore a file, not a pipe: the engine writes before it answers, so whatever stands there when an
 * answer comes belongs to that command, and the command fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { desktop, engineWorker, type Variant } from './engine.js';
import { PRELUDE } from './prelude.js';

/** What one command cost. */
export interface Cost {
  /** The engine's count of what it executed; the same at every run on every machine. */
  readonly meter: number;
  /** Slots in use when the command ended, garbage included. */
  readonly slots: number;
}

/** What is alive after a forced collection. */
export interface Heap {
  /** 32 bytes each on a 64-bit machine, 16 on a board. */
  readonly slots: number;
  readonly chunkBytes: number;
}

/** What the engine says by its exit status. */
const STATUS: Record<number, string> = { 11: 'memory full', 12: 'stack overflow', 16: 'not enough keys' };
const ANSWER_LIMIT_MS = 120_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const END_LIMIT_MS = 2_000;

/** JSON in ASCII. */
const ascii = (json: string) =>
  json.replace(/[\u007f-\uffff]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Workers that live, so that none outlives this process, however it ends. */
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class XsWorker {
  readonly #child: ChildProcess;
  readonly #stderr: number;
  readonly #input: Duplex;
  readonly #ended: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #seen = 0;
  #waiting: { resolve: (answer: Buffer) => void; reject: (error: Error) => void } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #gone = false;

  /** Starts an engine with nothing in its global object that boards lack; the caller must `end()` it. */
  static async start(variant: Variant = desktop): Promise<XsWorker> {
    const worker = new XsWorker(await engineWorker(variant));
    try {
      await worker.evaluate(PRELUDE);
    } catch (error) {
      await worker.end();
      throw error;
    }
    return worker;
  }

  private constructor(path: string) {
    const folder = mkdtempSync(join(tmpdir(), 'sovereign-xs-'));
    this.#stderr = openSync(join(folder, 'stderr'), 'a+');
    rmSync(folder, { recursive: true });
    this.#child = spawn(path, [], { stdio: ['ignore', this.#stderr, this.#stderr, 'pipe', 'pipe'] });
    const child = this.#child;
    alive.add(child);
    this.#input = child.stdio[3] as Duplex;
    this.#input.on('error', () => undefined); // the end of the process tells more
    const output = child.stdio[4] as Duplex;
    output.on('error', () => undefined);
    output.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#ended = new Promise(resolve => {
      const ended = (why: string) => {
        if (this.#gone) return;
        this.#gone = true;
        alive.delete(child);
        this.#fail(new Error(`the XS engine ended (${why})${this.#complaint()}`));
        closeSync(this.#stderr);
        resolve();
      };
      child.once('error', error => ended(error.message));
      child.once('close', (status, signal) => ended(signal ?? STATUS[status ?? 0] ?? `status ${status}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Runs a script in the global scope and the promise jobs that it leaves; its value is dropped. */
  async evaluate(source: string): Promise<Cost> {
    return (await this.#command('e', source)).cost;
  }

  /**
   * Calls a function that a script left in the global `exported`, with JSON values as arguments and result.
   * @throws what the function threw, or what an unhandled rejection said
   */
  async call<T>(name: string, ...args: unknown[]): Promise<{ value: T; cost: Cost }> {
    const { cost, body } = await this.#command('?', ascii(JSON.stringify([name, ...args])));
    return { value: (body.length === 0 ? undefined : JSON.parse(body.toString())) as T, cost };
  }

  /** Collects the garbage, then counts. */
  async heap(): Promise<Heap> {
    return (await this.call<Heap>('#heap')).value;
  }

  /** From now on the heap may grow by so many bytes and no more; then the engine ends. Variant `board32` only. */
  async limit(bytes: number): Promise<void> {
    await this.call('#limit', bytes);
  }

  /** How many of those bytes it has taken; what is taken is never given back. */
  async limited(): Promise<number> {
    return (await this.call<number>('#limited')).value;
  }

  /** Ends the process; kills it when it does not end by itself. Never fails. */
  async end(): Promise<void> {
    if (this.#gone) return this.#ended;
    this.#input.end('1:q,');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_LIMIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** One command at a time: later ones wait for their turn. */
  #command(letter: string, body: string): Promise<{ cost: Cost; body: Buffer }> {
    const turn = this.#last.then(() => this.#exchange(letter, body));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #exchange(letter: string, body: string): Promise<{ cost: Cost; body: Buffer }> {
    if (this.#gone) throw new Error('the XS engine has ended');
    const answer = new Promise<Buffer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ANSWER_LIMIT_MS);
    this.#input.write(`${Buffer.byteLength(body) + 1}:${letter}`);
    this.#input.write(body);
    this.#input.write(',');
    let bytes: Buffer;
    try {
      bytes = await answer;
    } finally {
      clearTimeout(timer);
    }
    const complaint = this.#complaint();
    if (bytes[0] === 0x21 /* ! */) throw new Error(`${bytes.toString('utf8', 1)}${complaint}`);
    if (complaint !== '') throw new Error(`the XS engine complains${complaint}`);
    const separator = bytes.indexOf(1);
    if (bytes[0] !== 0x2e /* . */ || separator < 0) throw new Error('the XS engine gives no known answer');
    const report = JSON.parse(bytes.toString('latin1', 1, separator)) as {
      compute: number;
      currentHeapCount: number;
    };
    const cost = { meter: report.compute, slots: report.currentHeapCount };
    return { cost, body: bytes.subarray(separator + 1) };
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    const colon = this.#received.indexOf(0x3a);
    if (colon < 0) return;
    const length = Number(this.#received.toString('latin1', 0, colon));
    if (!(length <= MAX_ANSWER_BYTES)) {
      this.#fail(new Error(`the XS engine answers with ${length} bytes, more than ${MAX_ANSWER_BYTES}`));
      this.#child.kill('SIGKILL');
      return;
    }
    if (this.#received.length < colon + length + 2) return;
    const answer = this.#received.subarray(colon + 1, colon + 1 + length);
    this.#received = this.#received.subarray(colon + length + 2);
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  /** What the engine has written to standard output and error since the last look. */
  #complaint(): string {
    const length = Math.min(fstatSync(this.#stderr).size - this.#seen, 65_536);
    if (length <= 0) return '';
    const text = Buffer.alloc(length);
    readSync(this.#stderr, text, 0, length, this.#seen);
    this.#seen += length;
    return `: ${text.toString().trim()}`;
  }
}
