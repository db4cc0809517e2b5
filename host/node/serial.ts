/**
 * A serial port (UART or USB-CDC) that yields a link whenever the port is there. Unplugging ends the link;
 * plugging in again begins a new one.
 *
 * Control lines: opening a port asserts DTR and RTS together, which boards with an auto-reset circuit take
 * as "run" and a Pico as "a terminal is there". Nothing here touches them afterwards, and they are not
 * dropped on close (`hupcl`): one falling before the other resets an ESP32.
 *
 * Unplugging: the kernel then answers reads with "0 bytes", at which `serialport` reads again at once, for ever.
 * So the name in /dev is looked at twice a second, and the port closed when it is gone or stands for another.
 */
import { stat } from 'node:fs/promises';
import type { SerialPort } from 'serialport';
import { Fault, systemCode } from '../fault.js';
import type { Clock, Link, LinkHandler, LinkSource, Log, Timer } from '../ports.js';

export interface SerialOptions {
  /** `/dev/ttyACM0`, or better a stable name below `/dev/serial/by-id/`. */
  readonly port: string;
  readonly baud: number;
  /** What the board leaves unread beyond this is thrown away, a whole message at a time. Default 64 KiB. */
  readonly maxPendingBytes?: number;
}

const MAX_PENDING_BYTES = 64 * 1024;
const LOOK_MS = 500;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5_000;
/** A link that lived this long was a good one: the next retry is quick again. */
const STEADY_MS = 10_000;

export class SerialSource implements LinkSource {
  readonly #options: SerialOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  #accept: ((link: Link) => LinkHandler) | undefined;
  #link: SerialLink | undefined;
  #retry: Timer | undefined;
  #looking: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  #lastProblem = '';
  #closing: Promise<void> = Promise.resolve();

  constructor(options: SerialOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether the port is open now. */
  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** What keeps the port from being opened; empty when nothing does. */
  get problem(): string {
    return this.#lastProblem;
  }

  /** Resolves after the first attempt; a port that is not there is no error, since it may be plugged in later. */
  start(accept: (link: Link) => LinkHandler): Promise<void> {
    this.#accept = accept;
    return this.#open();
  }

  async stop(): Promise<void> {
    this.#accept = undefined;
    this.#retry?.cancel();
    this.#link?.close();
    await this.#closing;
  }

  async #open(): Promise<void> {
    const { port: path, baud: baudRate } = this.#options;
    const port = await newPort(path, baudRate);
    if (this.#accept === undefined) return;
    await new Promise<void>(resolve => {
      port.on('error', error => this.#link?.end(error.message)); // not always followed by `close`
      port.open(error => {
        if (error) this.#failed(error);
        else this.#opened(port);
        resolve();
      });
    });
  }

  #opened(port: SerialPort): void {
    if (this.#accept === undefined) {
      port.close();
      return;
    }
    this.#lastProblem = '';
    this.#log.info('serial-open', { port: this.#options.port, baud: this.#options.baud });
    const openedAt = this.#clock.monotonic();
    const link = new SerialLink(port, this.#options);
    let done!: () => void;
    this.#closing = new Promise(resolve => {
      done = resolve;
    });
    this.#link = link;
    link.handler = this.#accept(link);
    void this.#look(link);
    port.on('data', (chunk: Buffer) => link.handler?.data(chunk));
    port.on('close', (error: Error | null) => {
      this.#link = undefined;
      this.#looking?.cancel();
      link.end(error?.message ?? 'closed');
      done();
      if (this.#clock.monotonic() - openedAt >= STEADY_MS) this.#retryMs = FIRST_RETRY_MS;
      if (this.#accept === undefined) return;
      this.#log.warn('serial-closed', { port: this.#options.port, reason: error?.message ?? 'closed' });
      this.#later();
    });
  }

  /** Ends the link when its name in /dev no longer stands for what was opened. */
  async #look(link: SerialLink, opened?: string): Promise<void> {
    const present = await stat(this.#options.port).then(
      ({ dev, ino, rdev }) => `${dev} ${ino} ${rdev}`,
      () => '',
    );
    if (this.#link !== link) return;
    if (present === '' || (opened !== undefined && present !== opened)) link.end('unplugged');
    else this.#looking = this.#clock.after(LOOK_MS, () => void this.#look(link, present));
  }

  #failed(error: Error): void {
    const problem = explain(this.#options.port, error);
    if (problem !== this.#lastProblem) this.#log.warn('serial-absent', { port: this.#options.port, problem });
    this.#lastProblem = problem;
    this.#later();
  }

  #later(): void {
    if (this.#accept === undefined) return;
    this.#retry = this.#clock.after(this.#retryMs, () => void this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }
}

/** The package takes 50 ms to load, which only those wait for who have a port. */
async function newPort(path: string, baudRate: number): Promise<SerialPort> {
  const { SerialPort } = await import('serialport');
  return new SerialPort({ path, baudRate, hupcl: false, autoOpen: false });
}

class SerialLink implements Link {
  readonly name: string;
  handler: LinkHandler | undefined;
  readonly #port: SerialPort;
  readonly #maxPendingBytes: number;
  #ended = false;

  constructor(port: SerialPort, options: SerialOptions) {
    this.#port = port;
    this.#maxPendingBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES;
    this.name = `serial:${options.port}`;
  }

  get pendingBytes(): number {
    return this.#port.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.#ended) return;
    // Closing would not help here, and every message down is said again when it is needed.
    if (this.#port.writableLength + bytes.length > this.#maxPendingBytes) return;
    this.#port.write(Buffer.from(bytes));
  }

  pause(): void {
    this.#port.pause();
  }

  resume(): void {
    this.#port.resume();
  }

  close(): void {
    this.end('closed by the gateway');
  }

  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#port.isOpen) this.#port.close();
    const handler = this.handler;
    this.handler = undefined;
    handler?.closed(reason);
  }
}

function explain(port: string, error: Error): string {
  const { message, remedy } = portFault(port, error);
  return remedy === '' ? message : `${message}: ${remedy}`;
}

/** Why a port can't be opened: `port-missing`, `port-permission`, `port-busy` or `port-failed`. */
function portFault(port: string, error: Error): Fault {
  const text = `${systemCode(error)} ${error.message}`;
  if (/ENOENT|ENXIO|No such (file|device)/i.test(text))
    return new Fault('port-missing', `${port} is not there`, 'plug the board in', error);
  if (/EACCES|EPERM|Permission denied/i.test(text))
    return new Fault(
      'port-permission',
      `${port} may not be opened by this user`,
      'add the user to the group dialout and log in again',
      error,
    );
  if (/EBUSY|Resource (temporarily unavailable|busy)|Cannot lock/i.test(text))
    return new Fault('port-busy', `${port} is in use by another program`, 'close that program', error);
  return new Fault('port-failed', `${port} cannot be opened: ${error.message}`, '', error);
}

/**
 * Opens a port once, for a command that talks to one board.
 * @throws Fault `port-missing`, `port-permission`, `port-busy`, `port-failed`
 */
export async function openSerial(options: SerialOptions, accept: (link: Link) => LinkHandler): Promise<Link> {
  const { port: path, baud: baudRate } = options;
  const port = await newPort(path, baudRate);
  return new Promise((resolve, reject) => {
    const link = new SerialLink(port, options);
    port.on('error', error => link.end(error.message));
    port.on('close', (error: Error | null) => link.end(error?.message ?? 'closed'));
    port.open(error => {
      if (error) {
        reject(portFault(path, error));
        return;
      }
      link.handler = accept(link);
      port.on('data', (chunk: Buffer) => link.handler?.data(chunk));
      resolve(link);
    });
  });
}
