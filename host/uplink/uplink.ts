/**
 * Keeps one broker supplied from the journal for as long as the gateway runs: connects, publishes from the cursor,
 * and when the connection ends for whatever reason, pauses and begins again at the lowest reading that was not
 * acknowledged. Each connection starts clean: the journal is the only store of what is still to be sent.
 */
import { Fault } from '../fault.js';
import type { Pulse } from '../health.js';
import type { BrokerOptions, BrokerSession, Timer } from '../ports.js';
import { Backoff } from './backoff.js';
import { Beside } from './beside.js';
import { brokerName } from './broker-name.js';
import type { Companion } from './companion.js';
import { CursorKeeper } from './cursor-keeper.js';
import { Drain } from './drain.js';
import { FetchCounts } from './fetch/counts.js';
import { Fetcher } from './fetch/fetcher.js';
import { type Place, samePlace } from './place.js';
import { Publisher } from './publisher.js';
import type { Flow, PublisherOptions } from './publishing.js';
import { encodeStatus } from './status.js';
import { TimeMap } from './time-map.js';
import { fetchTopic, STATUS_CONTENT_TYPE, statusTopic } from './topics.js';
import type { UplinkOptions, UplinkPorts, UplinkState } from './types.js';

/** A connection that has lasted so long was no failure, even if nothing was to be published. */
const LASTED_MS = 30_000;

export class Uplink {
  readonly #ports: UplinkPorts;
  readonly #options: UplinkOptions;
  readonly #publishing: PublisherOptions;
  readonly #times = new TimeMap();
  readonly #fetchCounts = new FetchCounts();
  readonly #flow: Flow = { paused: false, hurried: false };
  readonly #drain: Drain;
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
  #turns = 0;
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
      said: options.said,
    };
    this.#drain = new Drain(ports.clock);
    this.#place = { offset: ports.cursor.offset, ranges: ports.cursor.ranges };
    this.#keeper = new CursorKeeper(ports.cursor, ports.clock, ports.log, options.cursorEveryMs ?? 200);
    this.#backoff = new Backoff(ports.random, {
      minMs: options.minBackoffMs ?? 1000,
      maxMs: options.maxBackoffMs ?? 60_000,
    });
    ports.journal.onDurable(batch => {
      if (options.readingTopic)
        for (const entry of batch) if (entry.kind === 'reading') this.#times.observe(entry);
      this.#drain.arrived(batch.length);
      this.#publisher?.wake();
    });
  }

  get state(): UplinkState {
    const publisher = this.#publisher;
    const cursor = this.#place.offset;
    const head = publisher?.head ?? Math.max(this.#ports.journal.durableOffset, cursor);
    const drained = publisher?.drained ?? false;
    const certificateEndsAt = this.#session?.certificateEndsAt;
    const backlog = this.#distance(cursor, head) + this.#recovering;
    const seconds = drained ? 0 : this.#drain.secondsFor(backlog);
    return {
      name: this.#name,
      broker: brokerName(this.#options.broker.url),
      ...(this.#fault && { fault: this.#fault }),
      cursor,
      head,
      backlog,
      drained,
      paused: this.#flow.paused,
      inFlight: publisher?.inFlight ?? 0,
      window: publisher?.window ?? this.#options.window,
      ratePerSecond: this.#drain.ratePerSecond,
      ...(seconds !== undefined && { drainedInSeconds: seconds }),
      ...(certificateEndsAt !== undefined && { certificateEndsAt }),
      published: this.#published,
      attempts: this.#attempts,
      pauseMs: this.#pauseMs,
      ...(this.#answers && {
        fetch: { ...this.#fetchCounts.fields, waiting: this.#fetcher?.waiting ?? 0 },
      }),
    };
  }

  /** Goes on while there is a broker to be reached or something to be published. */
  get pulse(): Pulse {
    const resting = this.#name === 'online' && (this.#publisher?.rests === true || this.#flow.paused);
    const over = this.#name === 'idle' || this.#name === 'closed';
    return { turns: this.#turns + this.#published, busy: !resting && !over };
  }

  get #answers(): boolean {
    return this.#ports.archive !== undefined && (this.#options.fetchPerSecond ?? 0) > 0;
  }

  start(): void {
    if (this.#name === 'idle') this.#attempt();
  }

  get #recovering(): number {
    return this.#ports.journal.recovering?.length ?? 0;
  }

  #distance(cursor: number, head: number): number {
    return Math.max(0, this.#ports.journal.distance?.(cursor, head) ?? head - cursor);
  }

  /** Publishes no readings until `resume`; the connection stays. */
  pause(): void {
    this.#flow.paused = true;
    this.#flow.hurried = false;
  }

  resume(): void {
    this.#flow.paused = false;
    this.#publisher?.look();
  }

  /** Connects now if it waits, and publishes the backlog without its limit until nothing is left of it. */
  hurry(): void {
    this.#flow.hurried = true;
    this.#publisher?.look();
    if (this.#name !== 'waiting') return;
    this.#timer?.cancel();
    this.#backoff.reset();
    this.#attempt();
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
    this.#turns++;
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
        else this.#ports.companion?.message(topic, payload);
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
    this.#turns++;
    this.#session = session;
    this.#connectedAt = clock.monotonic();
    log.info('uplink-online', { broker: brokerName(this.#options.broker.url), cursor: this.#place.offset });
    const reader = (from: number) => journal.reader(from, damaged && { damaged });
    const fetch = this.#makeFetcher();
    const { companion } = this.#ports;
    const publisher: Publisher = new Publisher(
      {
        clock,
        session,
        place: this.#place,
        reader,
        head: () => journal.durableOffset,
        recovering: () => this.#recovering,
        times: this.#times,
        flow: this.#flow,
        fetch: new Beside(fetch, companion),
      },
      this.#publishing,
      {
        moved: () => this.#moved(publisher),
        published: count => {
          this.#published += count;
          this.#drain.published(count);
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
    if (companion !== undefined) void this.#accompany(companion, session, publisher);
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

  async #accompany(companion: Companion, session: BrokerSession, publisher: Publisher): Promise<void> {
    companion.connected(session, () => publisher.look());
    if (companion.topics.length === 0) return;
    await session.subscribe(companion.topics).catch(error => {
      // It can do without. That the connection has gone is told elsewhere.
      if (publisher === this.#publisher)
        this.#ports.log.warn('uplink-companion-refused', { error: String(error) });
    });
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
    this.#turns++;
    this.#pauseMs = this.#backoff.next(fault.code);
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
