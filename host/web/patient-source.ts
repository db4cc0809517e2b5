/**
 * A listener that waits for its address: when another program has it, or it can't be used, that is told once, the gateway
 * does its work all the same, and it is tried again.
 */
import { Fault } from '../fault.js';
import type { Clock, Log, Timer } from '../ports.js';
import type { HttpHandler, HttpSource } from './ports.js';

const RETRY_MS = 30_000;

export class PatientSource implements HttpSource {
  readonly #source: HttpSource;
  readonly #ports: { readonly clock: Clock; readonly log: Log };
  readonly #event: string;
  #starting: Promise<void> = Promise.resolve();
  #retry: Timer | undefined;
  #stopped = false;
  #problem = '';

  /** @param event what the log calls it: `page-unavailable` */
  constructor(source: HttpSource, ports: { readonly clock: Clock; readonly log: Log }, event: string) {
    this.#source = source;
    this.#ports = ports;
    this.#event = event;
  }

  get port(): number {
    return this.#source.port;
  }

  /** Resolves after the first attempt, whatever came of it. */
  start(handler: HttpHandler): Promise<void> {
    this.#starting = this.#listen(handler);
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#starting;
    await this.#source.stop();
  }

  async #listen(handler: HttpHandler): Promise<void> {
    const { clock, log } = this.#ports;
    try {
      await this.#source.start(handler);
      this.#problem = '';
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { code, message, remedy } = error;
      if (message !== this.#problem) log.error(this.#event, { code, error: message, remedy });
      this.#problem = message;
      if (!this.#stopped) this.#retry = clock.after(RETRY_MS, () => void this.start(handler));
    }
  }
}
