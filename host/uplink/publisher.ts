/**
 * Publishes the journal over one connection, in the journal's order, which is also each device's order, unless the new goes
 * before the old (`Lanes`). Holds at most `limit` unacknowledged messages, of which an entry may have two; the cursor passes
 * an entry when all of its messages are acknowledged, and everything before it too.
 */
import { Fault } from '../fault.js';
import type { Entry } from '../journal/entry.js';
import type { BrokerMessage, BrokerSession, Clock, Timer } from '../ports.js';
import type { Outgoing } from './fetch/outbox.js';
import { Lanes, type Order } from './lanes.js';
import { statusMessage } from './messages.js';
import { Pace } from './pace.js';
import { type Parcel, Parcels } from './parcels.js';
import type { Place } from './place.js';
import { ReadAhead, type UplinkReader } from './read-ahead.js';
import { SenmlEncoder } from './senml.js';
import type { GatewayStatus, OfflineStatus } from './status.js';
import type { TimeMap } from './time-map.js';

/** Larger batches make no difference to the speed, and a subscriber has many of them in memory. */
const BATCH_BYTES = 16 * 1024;
/** What goes around a payload in a packet: topic, properties, lengths. */
const PACKET_OVERHEAD_BYTES = 1024;
/** In flight, whatever the window: what a broker that stalls has to keep, and we too. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

export interface PublisherOptions {
  readonly site: string;
  readonly gateway: string;
  /** Messages in flight at most; the broker may allow fewer. */
  readonly window: number;
  readonly replayPerSecond: number;
  readonly readingTopic: boolean;
  readonly order: Order;
  /** Readings of a backlog go many at a time. */
  readonly batch: boolean;
  readonly protocol: '3.1.1' | '5';
  readonly statusEveryMs: number;
  /** A broker that acknowledges nothing for so long is left. */
  readonly acknowledgeTimeoutMs: number;
  readonly said?: ((maxPacketBytes?: number) => Partial<GatewayStatus>) | undefined;
}

/** What people have told the uplink; outlives connections. */
export interface Flow {
  /** Nothing but the status is published. */
  paused: boolean;
  /** The backlog goes without a limit until nothing is left of it. */
  hurried: boolean;
}

/** Readings that subscribers have asked for, and what else goes beside. */
export interface FetchSource {
  /** Whether anybody may ask. */
  readonly answers: boolean;
  /** The next message, when its time has come. */
  next(): Outgoing | undefined;
  stop(): void;
}

export interface PublisherPorts {
  readonly clock: Clock;
  readonly session: BrokerSession;
  /** Where to begin. */
  readonly place: Place;
  reader(from: number): UplinkReader;
  /** One more than the last durable offset. */
  readonly head: () => number;
  /** Outlives connections. */
  readonly times: TimeMap;
  readonly flow: Flow;
  /** Absent: nobody may ask. */
  readonly fetch?: FetchSource | undefined;
}

export interface PublisherEvents {
  /** Readings were passed, or the cursor moved for another reason. */
  moved(): void;
  published(count: number): void;
  /** This connection is of no use any more. */
  failed(fault: Fault): void;
  /** Something about the gateway may not be published; readings go on. */
  statusRefused(reason: string): void;
}

interface Message {
  readonly message: BrokerMessage;
  readonly parcel: Parcel;
}

export class Publisher {
  readonly #ports: PublisherPorts;
  readonly #options: PublisherOptions;
  readonly #events: PublisherEvents;
  readonly #limit: number;
  /** What newer readings have overtaken leaves room for them. */
  readonly #pastLimit: number;
  readonly #lanes: Lanes;
  readonly #parcels: Parcels;
  /** The messages of the parcel that is being published. */
  #messages: Message[] = [];
  #inFlight = 0;
  #inFlightBytes = 0;
  /** Of them, those that were asked for, and how many of them there may be. */
  #fetchInFlight = 0;
  readonly #fetchLimit: number;
  /** The last message was one that was asked for: now it is the journal's turn. */
  #fetchWasLast = false;
  #answersFetch: boolean;
  #statusDue = true;
  #saidDrained = false;
  #pumping = false;
  #halted = false;
  #stopped = false;
  #answeredAt: number;
  #paceTimer: Timer | undefined;
  #statusTimer: Timer | undefined;
  #idle: (() => void) | undefined;

  constructor(ports: PublisherPorts, options: PublisherOptions, events: PublisherEvents) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
    this.#limit = Math.max(1, Math.min(options.window, ports.session.receiveMaximum));
    this.#answersFetch = ports.fetch?.answers === true;
    this.#fetchLimit = Math.max(1, this.#limit >> 3);
    this.#pastLimit = Math.max(1, this.#limit - (this.#limit >> 3));
    this.#answeredAt = ports.clock.monotonic();
    const { order, site, gateway, readingTopic, batch, protocol } = options;
    const { place, head } = ports;
    const largest = (ports.session.maxPacketBytes ?? Number.POSITIVE_INFINITY) - PACKET_OVERHEAD_BYTES;
    this.#lanes = new Lanes({ order, place, head: head(), smallBacklog: this.#limit }, from =>
      this.#read(from),
    );
    this.#parcels = new Parcels(
      {
        site,
        gateway,
        readingTopic,
        batchBytes: batch ? Math.min(BATCH_BYTES, largest) : 0,
        mark: protocol === '5' ? 'property' : 'topic',
        newest: this.#limit,
        head,
      },
      this.#lanes,
      new Pace(ports.clock, options.replayPerSecond, () => ports.flow.hurried),
      new SenmlEncoder(ports.times),
    );
  }

  /** How far all this has got. */
  get place(): Place {
    return this.#lanes.place;
  }

  /** Everything below has been passed. */
  get cursor(): number {
    return this.place.offset;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Messages in flight at most. */
  get window(): number {
    return this.#limit;
  }

  get head(): number {
    const { cursor } = this;
    return this.drained ? cursor : Math.max(this.#ports.head(), cursor);
  }

  /** Everything durable has been acknowledged. */
  get drained(): boolean {
    return this.#messages.length === 0 && this.#lanes.empty;
  }

  start(): void {
    this.#everyStatus();
    this.#pump();
  }

  /** The journal has more. */
  wake(): void {
    this.#lanes.wake();
    this.#pump();
  }

  /** Nobody can ask after all; the status says so. */
  deaf(): void {
    this.#answersFetch = false;
    this.#statusDue = true;
    this.#pump();
  }

  /** There may be something that was asked for, or people have told otherwise. */
  look(): void {
    this.#pump();
  }

  /** Publishes nothing new; resolves when all that is in flight is acknowledged (or never). */
  finish(): Promise<void> {
    this.#halt();
    return new Promise(resolve => {
      if (this.#inFlight === 0) resolve();
      else this.#idle = resolve;
    });
  }

  /** Says that the gateway goes, past the window: nothing comes after it. */
  farewell(): Promise<void> {
    return new Promise(resolve => {
      const { site, gateway } = this.#options;
      const status: OfflineStatus = { gateway, site, state: 'offline' };
      this.#ports.session.publish(statusMessage(site, gateway, status), () => resolve());
    });
  }

  /** The connection is gone: what comes of it later counts for nothing. */
  stop(): void {
    this.#stopped = true;
    this.#halt();
    this.#ports.fetch?.stop();
    this.#lanes.close();
  }

  #halt(): void {
    this.#halted = true;
    this.#paceTimer?.cancel();
    this.#statusTimer?.cancel();
  }

  #pump(): void {
    if (this.#pumping || this.#halted) return;
    this.#pumping = true;
    let waiting = false;
    while (!waiting && this.#room) {
      if (this.#statusDue) this.#publishStatus();
      else if (this.#ports.flow.paused) waiting = true;
      else if (!this.#fetchWasLast && this.#publishFetched()) this.#fetchWasLast = true;
      else if (this.#messages.length > 0) this.#publish(this.#messages.shift()!);
      else if (!this.#take()) waiting = !this.#publishFetched();
    }
    this.#pumping = false;
    if (this.#halted) return;
    this.#lanes.fill();
    if (!waiting) return;
    // Nothing may be left but what was passed before, of which no PUBACK tells.
    this.#settle();
    if (this.#statusDue) this.#pump();
  }

  get #room(): boolean {
    return !this.#halted && this.#inFlight < this.#limit && this.#inFlightBytes < MAX_IN_FLIGHT_BYTES;
  }

  /** Begins with the next parcel; returns false when there is none, or it has to wait. */
  #take(): boolean {
    const parcel = this.#parcels.next(this.#inFlight < this.#pastLimit);
    if (parcel !== undefined) {
      this.#messages = parcel.messages.map(message => ({ message, parcel }));
      return true;
    }
    const { pauseMs } = this.#parcels;
    if (pauseMs === 0) return false;
    this.#paceTimer ??= this.#ports.clock.after(pauseMs, () => {
      this.#paceTimer = undefined;
      this.#pump();
    });
    return false;
  }

  #read(from: number): ReadAhead {
    return new ReadAhead(this.#ports.reader(from), {
      arrived: entries => this.#lookAhead(entries),
      settled: () => {
        this.#settle();
        this.#pump();
      },
      failed: fault => this.#events.failed(fault),
    });
  }

  #publish({ message, parcel }: Message): void {
    const { length } = message.payload;
    this.#inFlight++;
    this.#inFlightBytes += length;
    this.#fetchWasLast = false;
    this.#ports.session.publish(message, error => {
      if (this.#stopped) return;
      if (error) {
        this.#events.failed(refused(message.topic, error));
        return;
      }
      this.#inFlightBytes -= length;
      const readings = parcel.lane.acknowledge(parcel.slot);
      if (readings > 0) this.#events.published(readings);
      this.#answered();
      if (readings > 0) this.#events.moved();
    });
  }

  /** One that was asked for, outside of the cursor's window; false when there is none, or as many are in flight as may. */
  #publishFetched(): boolean {
    if (this.#fetchInFlight >= this.#fetchLimit) return false;
    const outgoing = this.#ports.fetch?.next();
    if (outgoing === undefined) return false;
    const { message, optional, acknowledged } = outgoing;
    this.#inFlight++;
    this.#fetchInFlight++;
    this.#ports.session.publish(message, error => {
      if (this.#stopped) return;
      if (error && optional) this.#events.statusRefused(`${message.topic}: ${error.message}`);
      else if (error) {
        this.#events.failed(refused(message.topic, error));
        return;
      }
      this.#fetchInFlight--;
      acknowledged();
      this.#answered();
    });
    return true;
  }

  #answered(): void {
    this.#inFlight--;
    this.#answeredAt = this.#ports.clock.monotonic();
    if (this.#inFlight === 0) this.#idle?.();
    this.#settle();
    this.#pump();
  }

  /** What is published after them may say when earlier readings were taken. */
  #lookAhead(entries: readonly Entry[]): void {
    if (!this.#options.readingTopic) return;
    for (const entry of entries) if (entry.kind === 'reading') this.#ports.times.observe(entry);
  }

  #everyStatus(): void {
    this.#statusTimer = this.#ports.clock.after(this.#options.statusEveryMs, () => {
      const silentMs = this.#ports.clock.monotonic() - this.#answeredAt;
      if (this.#inFlight > 0 && silentMs >= this.#options.acknowledgeTimeoutMs) {
        const text = `the broker has acknowledged nothing for ${Math.round(silentMs / 1000)} s`;
        this.#events.failed(new Fault('broker-stalled', text, 'Look at the broker’s log and load.'));
        return;
      }
      this.#statusDue = true;
      this.#everyStatus();
      this.#pump();
    });
  }

  /**
   * At the end of the journal, passes what holds no entries, and says at once when a backlog is gone. That one has
   * come is left to the next regular status: there is one for a moment whenever a reading comes in.
   */
  #settle(): void {
    this.#lanes.settle();
    if (!this.drained) return;
    this.#ports.flow.hurried = false;
    this.#events.moved();
    if (!this.#saidDrained) this.#statusDue = true;
  }

  #publishStatus(): void {
    this.#statusDue = false;
    const { site, gateway } = this.#options;
    const { cursor, head, drained } = this;
    this.#saidDrained = drained;
    const at = this.#ports.clock.now();
    const message = statusMessage(site, gateway, {
      gateway,
      site,
      state: 'online',
      cursor,
      head,
      drained,
      ...(this.#answersFetch && { fetch: true }),
      at,
      ...this.#options.said?.(this.#ports.session.maxPacketBytes),
    });
    this.#inFlight++;
    this.#ports.session.publish(message, error => {
      if (this.#stopped) return;
      if (error) this.#events.statusRefused(error.message);
      this.#answered();
    });
  }
}

function refused(topic: string, error: Error): Fault {
  return new Fault(
    'publish-refused',
    `the broker refuses a message on ${topic}: ${error.message}`,
    'Let this user publish on sovereign/1/# in the broker’s access list, and look at its quotas.',
    error,
  );
}
