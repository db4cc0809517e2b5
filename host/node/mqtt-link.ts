/**
 * Links over an MQTT broker: the bytes that would run over a wire, in messages of any size.
 *
 *   sovereign/link/<device>/up      device → gateway
 *   sovereign/link/<device>/down    gateway → device
 *
 * The gateway's end makes one link for each device topic on which something comes, a bounded number of them, and
 * closes those on which nothing has come for long. Whoever may publish there is no more trusted than whoever may
 * open a TCP connection: the session on top proves itself. What the broker drops, devices send again.
 */
import { Fault } from '../fault.js';
import type {
  Broker,
  BrokerOptions,
  BrokerSession,
  Clock,
  Link,
  LinkHandler,
  LinkSource,
  Log,
  Random,
  Timer,
} from '../ports.js';
import { Backoff } from '../uplink/backoff.js';

export interface MqttLinkPorts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface MqttLinkOptions {
  readonly broker: Omit<BrokerOptions, 'will' | 'cleanStart'>;
  /** Absent: the gateway's end, with all devices. Present: the end of this device, 16 hex digits. */
  readonly device?: string;
  /** Links at a time; beyond, what comes from further devices is dropped until one closes. */
  readonly maxLinks: number;
  /** Told when the broker can't be reached, and why. */
  readonly failed?: (reason: string) => void;
}

const UP = /^sovereign\/link\/([0-9a-f]{16})\/up$/;
/** Devices speak at least once a minute. */
const IDLE_MS = 180_000;
const LOOK_MS = 15_000;
/** A link that the broker takes no more from: messages down are said again, a whole one at a time is dropped. */
const MAX_PENDING_BYTES = 64 * 1024;
const MAX_MESSAGE_BYTES = 16 * 1024;
/** Beyond this it is no message of ours. */
const MAX_INCOMING_BYTES = 64 * 1024;
const BACKOFF = { minMs: 500, maxMs: 30_000 };

export class MqttLinkSource implements LinkSource {
  /** Messages that were dropped: too long, of no device, or of more devices than there may be links. */
  dropped = 0;
  readonly #ports: MqttLinkPorts;
  readonly #options: MqttLinkOptions;
  readonly #backoff: Backoff;
  readonly #links = new Map<string, MqttLink>();
  #accept: ((link: Link) => LinkHandler) | undefined;
  #session: BrokerSession | undefined;
  #attempting: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #looking: Timer | undefined;
  #problem = '';

  constructor(options: MqttLinkOptions, ports: MqttLinkPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#backoff = new Backoff(ports.random, BACKOFF);
  }

  /** Whether the broker carries messages now. */
  get connected(): boolean {
    return this.#session !== undefined;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Resolves after the first attempt; a broker that is away is waited for. */
  start(accept: (link: Link) => LinkHandler): Promise<void> {
    this.#accept = accept;
    this.#look();
    this.#attempting = this.#attempt();
    return this.#attempting;
  }

  async stop(): Promise<void> {
    this.#accept = undefined;
    this.#timer?.cancel();
    this.#looking?.cancel();
    this.#endLinks('stopped');
    await this.#attempting;
    const session = this.#session;
    this.#session = undefined;
    await session?.end().catch(() => {});
  }

  async #attempt(): Promise<void> {
    const { broker, log } = this.#ports;
    const { device } = this.#options;
    let over = false;
    try {
      const session = await broker.connect(
        { ...this.#options.broker, cleanStart: true },
        {
          message: (topic, payload) => this.#message(topic, payload),
          closed: reason => {
            over = true;
            if (this.#session !== undefined) this.#lost(reason);
          },
        },
      );
      if (this.#accept === undefined) return await session.end();
      await session.subscribe([
        device === undefined ? 'sovereign/link/+/up' : `sovereign/link/${device}/down`,
      ]);
      if (this.#accept === undefined || over) {
        await session.end();
        if (this.#accept !== undefined) this.#lost('the connection was closed');
        return undefined;
      }
      this.#session = session;
      this.#problem = '';
      this.#backoff.reset();
      log.info('mqtt-link-open', { broker: place(this.#options.broker.url) });
      // A device's end is one link, from now on; the gateway's has one when something comes.
      if (device !== undefined) this.#linkOf(device);
    } catch (error) {
      if (error instanceof Fault) this.#lost(error.message, error);
      else this.#lost(String(error));
    }
    return undefined;
  }

  #lost(reason: string, fault?: Fault): void {
    const { log, clock } = this.#ports;
    this.#session = undefined;
    this.#endLinks(reason);
    if (this.#accept === undefined) return;
    if (reason !== this.#problem)
      log.warn('mqtt-link-away', {
        broker: place(this.#options.broker.url),
        code: fault?.code,
        reason,
        remedy: fault?.remedy,
      });
    this.#problem = reason;
    this.#options.failed?.(reason);
    this.#timer = clock.after(this.#backoff.next(fault?.code), () => {
      this.#attempting = this.#attempt();
    });
  }

  #message(topic: string, payload: Uint8Array): Promise<void> {
    const id = this.#options.device ?? UP.exec(topic)?.[1];
    const link = id === undefined || payload.length > MAX_INCOMING_BYTES ? undefined : this.#linkOf(id);
    if (link === undefined) {
      this.dropped++;
      return Promise.resolve();
    }
    link.heardMs = this.#ports.clock.monotonic();
    return link.take(payload);
  }

  #linkOf(id: string): MqttLink | undefined {
    const known = this.#links.get(id);
    const session = this.#session;
    if (known !== undefined || session === undefined || this.#accept === undefined) return known;
    if (this.#links.size >= this.#options.maxLinks) return undefined;
    const topic = `sovereign/link/${id}/${this.#options.device === undefined ? 'down' : 'up'}`;
    const link = new MqttLink(`mqtt:${id}`, topic, session, () => this.#links.delete(id));
    link.heardMs = this.#ports.clock.monotonic();
    this.#links.set(id, link);
    link.handler = this.#accept(link);
    return link.open ? link : undefined; // who accepts may close at once
  }

  #endLinks(reason: string): void {
    for (const link of [...this.#links.values()]) link.end(reason);
  }

  #look(): void {
    if (this.#options.device !== undefined) return;
    const { clock } = this.#ports;
    const before = clock.monotonic() - IDLE_MS;
    for (const link of [...this.#links.values()]) if (link.heardMs < before) link.end('idle');
    this.#looking = clock.after(LOOK_MS, () => this.#look());
  }
}

class MqttLink implements Link {
  readonly name: string;
  handler: LinkHandler | undefined;
  heardMs = 0;
  open = true;
  pendingBytes = 0;
  readonly #topic: string;
  readonly #session: BrokerSession;
  readonly #gone: () => void;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #inFlight = 0;
  #paused: Promise<void> | undefined;
  #resume: (() => void) | undefined;

  constructor(name: string, topic: string, session: BrokerSession, gone: () => void) {
    this.name = name;
    this.#topic = topic;
    this.#session = session;
    this.#gone = gone;
  }

  /** Resolves when the bytes were taken: while the link is paused, the broker waits for its PUBACK. */
  async take(bytes: Uint8Array): Promise<void> {
    if (this.#paused !== undefined) await this.#paused;
    this.handler?.data(bytes);
  }

  send(bytes: Uint8Array): void {
    if (!this.open || this.pendingBytes + bytes.length > MAX_PENDING_BYTES) return;
    if (this.#queuedBytes + bytes.length > MAX_MESSAGE_BYTES) this.#flush();
    this.#queue.push(bytes.slice());
    this.#queuedBytes += bytes.length;
    this.pendingBytes += bytes.length;
    // What is sent in one turn of the event loop goes out as one message.
    if (this.#queue.length === 1) process.nextTick(() => this.#flush());
  }

  pause(): void {
    this.#paused ??= new Promise(resolve => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume?.();
    this.#paused = undefined;
  }

  close(): void {
    this.end('closed by the gateway');
  }

  end(reason: string): void {
    if (!this.open) return;
    this.#flush();
    this.open = false;
    this.#gone();
    this.resume();
    const { handler } = this;
    this.handler = undefined;
    handler?.closed(reason);
  }

  #flush(): void {
    const bytes = this.#queuedBytes;
    if (bytes === 0 || !this.open) return;
    const payload = new Uint8Array(bytes);
    let at = 0;
    for (const part of this.#queue) {
      payload.set(part, at);
      at += part.length;
    }
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#inFlight >= this.#session.receiveMaximum) {
      this.pendingBytes -= bytes;
      return;
    }
    this.#inFlight++;
    this.#session.publish({ topic: this.#topic, payload, retain: false }, () => {
      // Refused or taken: nothing waits for it any more.
      this.#inFlight--;
      this.pendingBytes -= bytes;
    });
  }
}

/** A broker's address without anything secret. */
function place(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the broker';
}
