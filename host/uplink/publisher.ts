/**
 * Publishes the journal over one connection, in the journal's order, which is also each device's order, unless the new goes
 * before the old (`Lanes`). Of the unacknowledged messages (`InFlight`), an entry may have two; the cursor passes
 * an entry when all of its messages are acknowledged, and everything before it too.
 */
import { Fault } from '../fault.js';
import type { Entry } from '../journal/entry.js';
import type { BrokerMessage, Timer } from '../ports.js';
import { InFlight } from './in-flight.js';
import { Lanes } from './lanes.js';
import { Pace } from './pace.js';
import { type Parcel, Parcels } from './parcels.js';
import type { Place } from './place.js';
import type { PublisherEvents, PublisherOptions, PublisherPorts } from './publishing.js';
import { ReadAhead } from './read-ahead.js';
import { SenmlEncoder } from './senml.js';
import { StatusPublisher } from './status-publisher.js';

/** Larger batches make no difference to the speed, and a subscriber has many of them in memory. */
const BATCH_BYTES = 16 * 1024;
/** What goes around a payload in a packet: topic, properties, lengths. */
const PACKET_OVERHEAD_BYTES = 1024;

interface Message {
  readonly message: BrokerMessage;
  readonly parcel: Parcel;
}

export class Publisher {
  readonly #ports: PublisherPorts;
  readonly #options: PublisherOptions;
  readonly #events: PublisherEvents;
  readonly #inFlight: InFlight;
  readonly #status: StatusPublisher;
  readonly #lanes: Lanes;
  readonly #parcels: Parcels;
  /** The messages of the parcel that is being published. */
  #messages: Message[] = [];
  /** The last message was one that was asked for: now it is the journal's turn. */
  #fetchWasLast = false;
  #pumping = false;
  #halted = false;
  #stopped = false;
  #paceTimer: Timer | undefined;

  constructor(ports: PublisherPorts, options: PublisherOptions, events: PublisherEvents) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
    const { clock, session, fetch, place, head } = ports;
    const limit = Math.min(options.window, session.receiveMaximum);
    this.#inFlight = new InFlight(clock, limit);
    this.#status = new StatusPublisher(clock, session, options, fetch?.answers === true);
    const { order, site, gateway, readingTopic, batch, protocol } = options;
    const largest = (session.maxPacketBytes ?? Number.POSITIVE_INFINITY) - PACKET_OVERHEAD_BYTES;
    this.#lanes = new Lanes({ order, place, head: head(), smallBacklog: this.window }, from =>
      this.#read(from),
    );
    this.#parcels = new Parcels(
      {
        site,
        gateway,
        readingTopic,
        batchBytes: batch ? Math.min(BATCH_BYTES, largest) : 0,
        mark: protocol === '5' ? 'property' : 'topic',
        newest: this.window,
        head,
      },
      this.#lanes,
      new Pace(clock, options.replayPerSecond, () => ports.flow.hurried),
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
    return this.#inFlight.count;
  }

  /** Messages in flight at most. */
  get window(): number {
    return this.#inFlight.limit;
  }

  get head(): number {
    const { cursor } = this;
    return this.rests ? cursor : Math.max(this.#ports.head(), cursor);
  }

  /** Everything durable has been acknowledged. */
  get rests(): boolean {
    return this.#messages.length === 0 && this.#lanes.empty;
  }

  /** … and nothing of the journal waits for the disk. */
  get drained(): boolean {
    return this.rests && this.#ports.recovering() === 0;
  }

  start(): void {
    this.#status.start(
      () => this.#brokerAnswers(),
      () => this.#pump(),
    );
    this.#pump();
  }

  /** The journal has more. */
  wake(): void {
    this.#lanes.wake();
    this.#pump();
  }

  /** Nobody can ask after all; the status says so. */
  deaf(): void {
    this.#status.deaf();
    this.#pump();
  }

  /** There may be something that was asked for, or people have told otherwise. */
  look(): void {
    this.#pump();
  }

  /** Publishes nothing new; resolves when all that is in flight is acknowledged (or never). */
  finish(): Promise<void> {
    this.#halt();
    return this.#inFlight.empty();
  }

  /** Says that the gateway goes, past the window: nothing comes after it. */
  farewell(): Promise<void> {
    return this.#status.farewell();
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
    this.#status.halt();
  }

  #pump(): void {
    if (this.#pumping || this.#halted) return;
    this.#pumping = true;
    let waiting = false;
    while (!waiting && !this.#halted && this.#inFlight.hasRoom) {
      if (this.#status.due) this.#publishStatus();
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
    if (this.#status.due) this.#pump();
  }

  /** Begins with the next parcel; returns false when there is none, or it has to wait. */
  #take(): boolean {
    const parcel = this.#parcels.next(this.#inFlight.hasRoomForPast);
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
      settled: () => this.#goOn(),
      failed: fault => this.#events.failed(fault),
    });
  }

  #publish({ message, parcel }: Message): void {
    const { length } = message.payload;
    this.#inFlight.sent(length);
    this.#fetchWasLast = false;
    this.#ports.session.publish(message, error => {
      if (this.#stopped) return;
      if (error) {
        this.#events.failed(refused(message.topic, error));
        return;
      }
      const readings = parcel.lane.acknowledge(parcel.slot);
      if (readings > 0) this.#events.published(readings);
      this.#inFlight.acknowledged(length);
      this.#goOn();
      if (readings > 0) this.#events.moved();
    });
  }

  /** One that was asked for, outside of the cursor's window; false when there is none, or as many are in flight as may. */
  #publishFetched(): boolean {
    if (!this.#inFlight.hasRoomForFetched) return false;
    const outgoing = this.#ports.fetch?.next();
    if (outgoing === undefined) return false;
    const { message, optional, acknowledged } = outgoing;
    this.#inFlight.sentFetched();
    this.#ports.session.publish(message, error => {
      if (this.#stopped) return;
      if (error && optional) this.#events.statusRefused(`${message.topic}: ${error.message}`);
      else if (error) {
        this.#events.failed(refused(message.topic, error));
        return;
      }
      this.#inFlight.acknowledgedFetched();
      acknowledged();
      this.#goOn();
    });
    return true;
  }

  /** There is room for more. */
  #goOn(): void {
    this.#settle();
    this.#pump();
  }

  /** What is published after them may say when earlier readings were taken. */
  #lookAhead(entries: readonly Entry[]): void {
    if (!this.#options.readingTopic) return;
    for (const entry of entries) if (entry.kind === 'reading') this.#ports.times.observe(entry);
  }

  /** Gives the connection up when the broker has acknowledged nothing for too long. */
  #brokerAnswers(): boolean {
    const { silentMs } = this.#inFlight;
    if (silentMs < this.#options.acknowledgeTimeoutMs) return true;
    const text = `the broker has acknowledged nothing for ${Math.round(silentMs / 1000)} s`;
    this.#events.failed(new Fault('broker-stalled', text, 'Look at the broker’s log and load.'));
    return false;
  }

  /** At the end of the journal, passes what holds no entries, and has it said that a backlog is gone. */
  #settle(): void {
    this.#lanes.settle();
    if (!this.rests) return;
    this.#events.moved();
    if (!this.drained) return;
    this.#ports.flow.hurried = false;
    this.#status.drained();
  }

  #publishStatus(): void {
    this.#inFlight.sent(0);
    this.#status.publish(this, error => {
      if (this.#stopped) return;
      if (error) this.#events.statusRefused(error.message);
      this.#inFlight.acknowledged(0);
      this.#goOn();
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
