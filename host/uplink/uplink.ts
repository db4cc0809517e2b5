/**
 * Keeps one broker supplied from the journal for as long as the gateway runs: connects, publishes from the cursor,
 * and when the connection ends for whatever reason, pauses and begins again at the lowest reading that was not
 * acknowledged. Each connection starts clean: the journal is the only store of what is still to be sent.
 */
import { Fault } from '../fault.js';
import type { DamageListener, Entry } from '../journal/entry.js';
import type { Broker, BrokerOptions, BrokerSession, Clock, Log, Random, Timer } from '../ports.js';
import { Backoff } from './backoff.js';
import { brokerName } from './broker-name.js';
import { CursorKeeper, type UplinkCursor } from './cursor-keeper.js';
import { FetchCounts } from './fetch/counts.js';
import { type Archive, Fetcher } from './fetch/fetcher.js';
import type { Order } from './lanes.js';
import { type Place, samePlace } from './place.js';
import { Publisher, type PublisherOptions } from './publisher.js';
import type { UplinkReader } from './read-ahead.js';
import { encodeStatus } from './status.js';
import { TimeMap } from './time-map.js';
import { fetchTopic, STATUS_CONTENT_TYPE, statusTopic } from './topics.js';

/** What an uplink wants of the journal. */
export interface UplinkJournal {
  /** One more than the last offset that is durable. */
  readonly durableOffset: number;
  onDurable(listener: (batch: readonly Entry[]) => void): void;
  /** Reads durable entries from an offset on; `next` gives none at the end. */
  reader(fromOffset: number, options?: { damaged?: DamageListener }): UplinkReader;
}

export interface UplinkPorts {
  readonly broker: Broker;
  readonly journal: UplinkJournal;
  readonly cursor: UplinkCursor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where readings are looked for that subscribers ask for; absent: they can't. */
  readonly archive?: Archive;
}

export interface UplinkOptions {
  /** Without the client id, which is made of the gateway's name. */
  readonly broker: Omit<BrokerOptions, 'clientId' | 'will' | 'cleanStart'>;
  /** A level of the topics. */
  readonly site: string;
  /** A level of the topics. */
  readonly gateway: string;
  /** Messages in flight at most. */
  readonly window: number;
  /** Readings a second while there is a backlog; 0: no limit. Below the rate at which readings come in, the backlog grows. */
  readonly replayPerSecond: number;
  /** Readings a second for subscribers that miss some; 0: none. */
  readonly fetchPerSecond?: number;
  /** Publish SenML JSON as well. */
  readonly readingTopic: boolean;
  /** What goes first while there is a backlog; the oldest when absent. */
  readonly order?: Order;
  /** Readings of a backlog go many at a time, on a topic of their own. */
  readonly batch?: boolean;
  /** Damage that the journal's reader finds. */
  readonly damaged?: DamageListener;
  readonly statusEveryMs?: number;
  readonly cursorEveryMs?: number;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** A broker that acknowledges nothing for so long is left; looked at when a status is due. */
  readonly acknowledgeTimeoutMs?: number;
  /** How long `close` waits for what is in flight. */
  readonly closeTimeoutMs?: number;
}

export interface UplinkState {
  /** `waiting`: a pause before the next attempt, for the reason that `fault` tells. */
  readonly name: 'idle' | 'connecting' | 'online' | 'waiting' | 'closed';
  /** Without credentials. */
  readonly broker: string;
  /** What went wrong last; stays until readings are acknowledged again or the connection has lasted. */
  readonly fault?: Fault;
  readonly cursor: number;
  readonly head: number;
  readonly drained: boolean;
  /** Messages. */
  readonly inFlight: number;
  /** Readings acknowledged since the start of the process. */
  readonly published: number;
  /** Attempts since the last connection that worked. */
  readonly attempts: number;
  /** Pause before the next attempt. */
  readonly pauseMs: number;
  /** What subscribers have asked for; absent when they can't. */
  readonly fetch?: FetchState;
}

/** Counted since the start of the process. */
export interface FetchState {
  readonly requests: number;
  /** Requests that were not taken, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly ranges: number;
  /** Ranges that wait. */
  readonly waiting: number;
  /** Readings sent and acknowledged. */
  readonly sent: number;
  /** Times that the disk refused. */
  readonly failed: number;
}

/** A connection that has lasted so long was no failure, even if nothing was to be published. */
const LASTED_MS = 30_000;

export class Uplink {
  readonly #ports: UplinkPorts;
  readonly #options: UplinkOptions;
  readonly #publishing: PublisherOptions;
  readonly #times = new TimeMap();
  readonly #fetchCounts = new FetchCounts();
  readonly #keeper: CursorKeeper;
  readonly #backoff: Backoff;
  #name: UplinkState['name'] = 'idle';
  #fault: Fault | undefined;
  /** All this has been acknowledged, durable or not. */
  #place: Place;
  #publisher: Publisher | undefined;
  #fetcher: Fetcher | undefined;
  #session: BrokerSession | undefined;
  #connecting: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #pauseMs = 0;
  #attempts = 0;
  #published = 0;
  #connectedAt = 0;
  #statusRefused = false;
  #fetchRefused = false;

  constructor(ports: UplinkPorts, options: UplinkOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#publishing = {
      site: options.site,
      gateway: options.gateway,
      window: options.window,
      replayPerSecond: options.replayPerSecond,
      readingTopic: options.readingTopic,
      order: options.order ?? 'oldest-first',
      batch: options.batch ?? false,
      protocol: options.broker.protocol,
      statusEveryMs: options.statusEveryMs ?? 10_000,
      acknowledgeTimeoutMs: options.acknowledgeTimeoutMs ?? 60_000,
    };
    this.#place = { offset: ports.cursor.offset, ranges: ports.cursor.ranges };
    this.#keeper = new CursorKeeper(ports.cursor, ports.clock, ports.log, options.cursorEveryMs ?? 200);
    this.#backoff = new Backoff(ports.random, {
      minMs: options.minBackoffMs ?? 1000,
      maxMs: options.maxBackoffMs ?? 60_000,
    });
    ports.journal.onDurable(batch => {
      if (options.readingTopic)
        for (const entry of batch) if (entry.kind === 'reading') this.#times.observe(entry);
      this.#publisher?.wake();
    });
  }

  get state(): UplinkState {
    const publisher = this.#publisher;
    return {
      name: this.#name,
      broker: brokerName(this.#options.broker.url),
      ...(this.#fault && { fault: this.#fault }),
      cursor: this.#place.offset,
      head: publisher?.head ?? Math.max(this.#ports.journal.durableOffset, this.#place.offset),
      drained: publisher?.drained ?? false,
      inFlight: publisher?.inFlight ?? 0,
      published: this.#published,
      attempts: this.#attempts,
      pauseMs: this.#pauseMs,
      ...(this.#answers && {
        fetch: { ...this.#fetchCounts.fields, waiting: this.#fetcher?.waiting ?? 0 },
      }),
    };
  }

  get #answers(): boolean {
    return this.#ports.archive !== undefined && (this.#options.fetchPerSecond ?? 0) > 0;
  }

  start(): void {
    if (this.#name === 'idle') this.#attempt();
  }

  /** Waits a little for what is in flight, says that the gateway goes, saves the cursor. */
  async close(): Promise<void> {
    if (this.#name === 'closed') return;
    this.#name = 'closed';
    this.#timer?.cancel();
    const publisher = this.#publisher;
    if (publisher !== undefined) {
      const timeoutMs = this.#options.closeTimeoutMs ?? 2000;
      await this.#within(timeoutMs, publisher.finish());
      await this.#within(timeoutMs, publisher.farewell());
    }
    this.#drop();
    await this.#connecting;
    await this.#keeper.close();
  }

  #attempt(): void {
    const { broker, site, gateway } = { ...this.#options };
    this.#name = 'connecting';
    this.#attempts++;
    const will = {
      topic: statusTopic(site, gateway),
      payload: encodeStatus({ gateway, site, state: 'offline' }),
      retain: true,
      contentType: STATUS_CONTENT_TYPE,
    };
    const options: BrokerOptions = { ...broker, clientId: `sovereign-${gateway}`, will, cleanStart: true };
    let over = false;
    const handler = {
      message: async (topic: string, payload: Uint8Array) => {
        if (topic === fetchTopic(site, gateway)) this.#fetcher?.request(payload);
      },
      closed: (reason: string) => {
        over = true;
        this.#failed(new Fault('broker-lost', `${brokerName(broker.url)} is gone: ${reason}`));
      },
    };
    this.#connecting = this.#ports.broker.connect(options, handler).then(
      session => {
        if (this.#name !== 'connecting' || over) return session.end();
        this.#connected(session);
        return undefined;
      },
      error => {
        const fault =
          error instanceof Fault ? error : new Fault('broker-unreachable', String(error), '', error);
        this.#failed(fault);
      },
    );
  }

  #connected(session: BrokerSession): void {
    const { clock, journal, log } = this.#ports;
    const { damaged } = this.#options;
    this.#name = 'online';
    this.#session = session;
    this.#connectedAt = clock.monotonic();
    log.info('uplink-online', { broker: brokerName(this.#options.broker.url), cursor: this.#place.offset });
    const reader = (from: number) => journal.reader(from, damaged && { damaged });
    const fetch = this.#makeFetcher();
    const publisher: Publisher = new Publisher(
      {
        clock,
        session,
        place: this.#place,
        reader,
        head: () => journal.durableOffset,
        times: this.#times,
        fetch,
      },
      this.#publishing,
      {
        moved: () => this.#moved(publisher),
        published: count => {
          this.#published += count;
        },
        failed: fault => {
          // We take leave by ourselves, so the will is not published.
          void publisher.farewell();
          this.#failed(fault);
        },
        statusRefused: reason => {
          if (!this.#statusRefused) log.warn('uplink-status-refused', { reason });
          this.#statusRefused = true;
        },
      },
    );
    this.#publisher = publisher;
    this.#fetcher = fetch;
    publisher.start();
    if (fetch !== undefined) void this.#listen(session, publisher);
  }

  #makeFetcher(): Fetcher | undefined {
    const { archive, clock } = this.#ports;
    const { broker, site, gateway, fetchPerSecond: perSecond = 0 } = this.#options;
    if (archive === undefined || !this.#answers) return undefined;
    return new Fetcher(
      { clock, archive, place: () => this.#place },
      { site, gateway, perSecond, mark: broker.protocol === '5' ? 'property' : 'topic' },
      this.#fetchCounts,
      () => this.#publisher?.look(),
    );
  }

  async #listen(session: BrokerSession, publisher: Publisher): Promise<void> {
    const { site, gateway } = this.#options;
    try {
      await session.subscribe([fetchTopic(site, gateway)]);
      if (publisher === this.#publisher) this.#fetchRefused = false;
    } catch (error) {
      // Readings go on. That the connection has gone is told elsewhere.
      if (publisher !== this.#publisher) return;
      if (!this.#fetchRefused) this.#ports.log.warn('uplink-fetch-refused', { error: String(error) });
      this.#fetchRefused = true;
      publisher.deaf();
    }
  }

  #moved(publisher: Publisher): void {
    const { place } = publisher;
    if (publisher !== this.#publisher || samePlace(place, this.#place)) return;
    this.#place = place;
    this.#keeper.passed(place);
    this.#working();
  }

  /** The broker does what it should: the next pause is short again. */
  #working(): void {
    this.#backoff.reset();
    this.#fault = undefined;
    this.#attempts = 0;
  }

  #failed(fault: Fault): void {
    if (this.#name === 'closed' || this.#name === 'waiting') return;
    const { clock, log } = this.#ports;
    if (this.#session !== undefined && clock.monotonic() - this.#connectedAt > LASTED_MS) this.#working();
    // A broker that is away for a day is one line in the log, not a thousand.
    const news = this.#fault?.message !== fault.message;
    this.#fault = fault;
    this.#name = 'waiting';
    this.#pauseMs = this.#backoff.next();
    const fields = { code: fault.code, error: fault.message, remedy: fault.remedy, pauseMs: this.#pauseMs };
    if (news) log.warn('uplink-waiting', fields);
    else log.debug('uplink-waiting', fields);
    this.#drop();
    this.#timer = clock.after(this.#pauseMs, () => this.#attempt());
  }

  #drop(): void {
    const { log } = this.#ports;
    const session = this.#session;
    this.#publisher?.stop();
    this.#publisher = undefined;
    this.#fetcher = undefined;
    this.#session = undefined;
    session?.end().catch(error => log.debug('uplink-end', { error: String(error) }));
  }

  #within(timeoutMs: number, promise: Promise<void>): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#ports.clock.after(timeoutMs, resolve);
      promise.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
