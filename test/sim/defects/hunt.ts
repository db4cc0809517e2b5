/** Looks for a seed that catches a defect, in a process of its own: what is loaded with the defect stays there. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Defect } from './defect.js';

export interface Catch {
  /** undefined: none did. */
  readonly seed: number | undefined;
  /** Seeds that were run. */
  readonly tried: number;
  /** The guarantee that did not hold, and how. */
  readonly what: string;
  readonly details: string;
  /** The first seed with which the product threw instead, and what. */
  readonly crashed: string;
  /** CPU of the process, start included. */
  readonly cpuMs: number;
}

const RUNNER = fileURLToPath(new URL('./run-defect.js', import.meta.url));
/** A defect may make the product spin. */
const MAX_SECONDS = 240;

/** @param first seeds to try before the others, of which there are `count` */
export function hunt(defect: Defect, first: readonly number[], count: number): Promise<Catch> {
  return new Promise((resolve, reject) => {
    const args = [RUNNER, defect.name, first.join(','), String(count)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), MAX_SECONDS * 1000);
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      if (errors.length < 10_000) errors += text;
    });
    child.on('error', reject);
    child.on('close', code => {
      clearTimeout(timer);
      if (code === 0) resolve(JSON.parse(out) as Catch);
      else reject(new Error(`${defect.name}: the process ended with ${code}: ${errors.slice(0, 2000)}`));
    });
  });
}

/** Runs at most so many at a time. */
export class Pool {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
