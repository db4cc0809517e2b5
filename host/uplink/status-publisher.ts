/**
 * Says over one connection what the gateway is and how far it has got: at once, regularly, and when nothing is left to be
 * forwarded. It knows when a status is due; the publisher makes room for it.
 */
import type { BrokerSession, Clock, Timer } from '../ports.js';
import { statusMessage } from './messages.js';
import type { PublisherOptions } from './publishing.js';
import type { OfflineStatus } from './status.js';

/** How far all readings have got. */
export interface Progress {
  readonly cursor: number;
  readonly head: number;
  readonly drained: boolean;
}

export class StatusPublisher {
  readonly #clock: Clock;
  readonly #session: BrokerSession;
  readonly #options: PublisherOptions;
  #answersFetch: boolean;
  #due = true;
  #saidDrained = false;
  #timer: Timer | undefined;

  constructor(clock: Clock, session: BrokerSession, options: PublisherOptions, answersFetch: boolean) {
    this.#clock = clock;
    this.#session = session;
    this.#options = options;
    this.#answersFetch = answersFetch;
  }

  get due(): boolean {
    return this.#due;
  }

  /**
   * Makes one due regularly.
   * @param goesOn asked first each time; false: there is no use in another
   * @param due one is due
   */
  start(goesOn: () => boolean, due: () => void): void {
    this.#timer = this.#clock.after(this.#options.statusEveryMs, () => {
      if (!goesOn()) return;
      this.#due = true;
      this.start(goesOn, due);
      due();
    });
  }

  halt(): void {
    this.#timer?.cancel();
  }

  /** Nobody can ask after all. */
  deaf(): void {
    this.#answersFetch = false;
    this.#due = true;
  }

  /**
   * Nothing is left: said at once. That a backlog has come is left to the next regular status: there is one for a moment
   * whenever a reading comes in.
   */
  drained(): void {
    if (!this.#saidDrained) this.#due = true;
  }

  publish({ cursor, head, drained }: Progress, acknowledged: (error?: Error) => void): void {
    this.#due = false;
    this.#saidDrained = drained;
    const { site, gateway, said } = this.#options;
    const message = statusMessage(site, gateway, {
      gateway,
      site,
      state: 'online',
      cursor,
      head,
      drained,
      ...(this.#answersFetch && { fetch: true }),
      at: this.#clock.now(),
      ...said?.(this.#session.maxPacketBytes),
    });
    this.#session.publish(message, acknowledged);
  }

  /** Says that the gateway goes, past the window: nothing comes after it. */
  farewell(): Promise<void> {
    return new Promise(resolve => {
      const { site, gateway } = this.#options;
      const status: OfflineStatus = { gateway, site, state: 'offline' };
      this.#session.publish(statusMessage(site, gateway, status), () => resolve());
    });
  }
}
