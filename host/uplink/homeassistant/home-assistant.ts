/**
 * Makes Home Assistant show the devices: announces them, says what they say now and whether they are heard, and takes away
 * what is gone. All of it is retained, QoS 1, over the uplink's connection and within its window, and comes from what is durable
 * in the journal, as it becomes so; the draining of a backlog has nothing to do with it.
 */
import { SILENT_MS } from '../../intake/silence.js';
import type { Entry } from '../../journal/entry.js';
import type { KeyringView } from '../../keyring/entry.js';
import type { BrokerSession, Clock, Log, Random, Timer } from '../../ports.js';
import type { Companion } from '../companion.js';
import type { Outgoing } from '../fetch/outbox.js';
import type { Book } from './book.js';
import { deviceConfig, gatewayConfig } from './discovery.js';
import { TopicOutbox } from './outbox.js';
import {
  availableTopic,
  birthTopic,
  deviceConfigTopic,
  gatewayConfigTopic,
  type Names,
  stateTopic,
} from './topics.js';
import { STATE_EVERY_MS, Tracked } from './tracked.js';
import { ContentReader, View } from './view.js';

export interface HomeAssistantPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly keyring: KeyringView;
  readonly book: Book;
}

export interface HomeAssistantOptions {
  readonly names: Names;
  /** Of this program. */
  readonly version: string;
  /** Gateways that this one was restored from, and that are no more. */
  readonly replaces?: readonly string[];
  /** Only takes away what was announced before. */
  readonly off?: boolean;
}

/** Messages a second, of all devices together. */
const PER_SECOND = 200;
const TICK_MS = 1000;
const LOOK_EVERY_TICKS = 10;
/** Home Assistant asks everybody at once when it starts, so nobody answers at once. */
const MIN_BIRTH_MS = 1000;
const MAX_BIRTH_MS = 10_000;
const MAX_BIRTH_BYTES = 64;
/** In the book, beside the ids of devices. */
const GATEWAY = 'gateway';
const NOTHING = new Uint8Array(0);

export class HomeAssistant implements Companion {
  readonly topics: readonly string[];
  readonly #ports: HomeAssistantPorts;
  readonly #names: Names;
  readonly #version: string;
  readonly #off: boolean;
  readonly #outbox: TopicOutbox;
  readonly #reader = new ContentReader();
  readonly #tracked = new Map<string, Tracked>();
  /** What they say is to be published once it is time. */
  readonly #due = new Set<Tracked>();
  readonly #beganMs: number;
  #gatewayBooked = false;
  #unsaved = false;
  #saving: Promise<void> | undefined;
  #failure = '';
  #ticks = 0;
  #tick: Timer | undefined;
  #birth: Timer | undefined;

  constructor(
    ports: HomeAssistantPorts,
    { names, version, replaces = [], off = false }: HomeAssistantOptions,
  ) {
    this.#ports = ports;
    this.#names = names;
    this.#version = version;
    this.#off = off;
    this.#outbox = new TopicOutbox(ports.clock, ports.log, PER_SECOND);
    this.#beganMs = ports.clock.monotonic();
    this.topics = off ? [] : [birthTopic(names)];
    this.#takeUp();
    for (const gateway of replaces) this.#replace({ ...names, gateway });
    this.#later();
  }

  /** Entries that are durable now. */
  observe(batch: readonly Entry[]): void {
    if (this.#off) return;
    const { clock, keyring } = this.#ports;
    const nowMs = clock.monotonic();
    for (const entry of batch) {
      if (entry.kind !== 'reading') continue;
      const known = keyring.get(entry.device);
      const content = known && this.#reader.read(entry);
      if (known === undefined || content === undefined) continue;
      let tracked = this.#tracked.get(known.id);
      if (tracked === undefined) {
        tracked = new Tracked(new View(known.id), known);
        this.#tracked.set(known.id, tracked);
        this.#write(tracked);
      }
      tracked.heardMs = nowMs;
      if (tracked.view.take(entry, content)) this.#write(tracked);
      const lateMs = content.unixMs < 0 ? 0 : clock.now() - content.unixMs;
      const now = tracked.lateness.take(nowMs, lateMs) && nowMs - tracked.statedMs >= STATE_EVERY_MS;
      if (tracked.available !== true) {
        tracked.available = true;
        this.#announce(tracked);
      }
      if (now) this.#state(tracked, nowMs);
      else this.#due.add(tracked);
    }
  }

  connected(session: Pick<BrokerSession, 'maxPacketBytes'>, look: () => void): void {
    this.#outbox.open(session.maxPacketBytes, look);
    this.#remove();
    this.#announceAll();
  }

  disconnected(): void {
    this.#outbox.close();
    this.#birth?.cancel();
    this.#birth = undefined;
  }

  message(topic: string, payload: Uint8Array): void {
    if (this.#off || topic !== birthTopic(this.#names) || payload.length > MAX_BIRTH_BYTES) return;
    if (Buffer.from(payload).toString() !== 'online' || this.#birth !== undefined) return;
    const chance = new Uint8Array(1);
    this.#ports.random.fill(chance);
    const pauseMs = MIN_BIRTH_MS + ((MAX_BIRTH_MS - MIN_BIRTH_MS) * chance[0]) / 255;
    this.#birth = this.#ports.clock.after(pauseMs, () => {
      this.#birth = undefined;
      this.#announceAll();
    });
  }

  next(): Outgoing | undefined {
    return this.#outbox.next();
  }

  /** Nothing is published any more. */
  async close(): Promise<void> {
    this.#tick?.cancel();
    this.disconnected();
    await this.#saving;
  }

  /** What an earlier run has announced. */
  #takeUp(): void {
    const { book, keyring } = this.#ports;
    for (const [id, { firmware, forms }] of [...book.devices]) {
      if (id === GATEWAY && !this.#off) continue;
      const known = this.#off ? undefined : keyring.get(id);
      if (known === undefined) {
        this.#drop(id);
        continue;
      }
      const tracked = new Tracked(new View(id, firmware, forms), known);
      this.#tracked.set(id, tracked);
      this.#write(tracked);
    }
    if (this.#off) return;
    book.put(GATEWAY, { forms: new Map(), topics: [gatewayConfigTopic(this.#names)] });
    this.#unsaved = true;
  }

  /** What a gateway that is no more has left. */
  #replace(names: Names): void {
    const { book, keyring } = this.#ports;
    book.remove.add(gatewayConfigTopic(names));
    for (const { id } of keyring.entries()) book.remove.add(availableTopic(names, id));
  }

  /** Store, then announce: it is announced once the book has it. */
  #write(tracked: Tracked): void {
    const { id, firmware, forms } = tracked.view;
    const topics = [deviceConfigTopic, availableTopic, stateTopic].map(topic => topic(this.#names, id));
    this.#ports.book.put(id, { firmware, forms, topics });
    tracked.written++;
    this.#unsaved = true;
  }

  /** Everything that may be there, to a broker or a Home Assistant that may know nothing of it. */
  #announceAll(): void {
    if (this.#off) return;
    this.#announceGateway();
    for (const tracked of this.#tracked.values()) this.#announce(tracked);
  }

  #announceGateway(): void {
    if (!this.#gatewayBooked) return;
    const payload = () => gatewayConfig(this.#names, this.#version);
    this.#outbox.put(gatewayConfigTopic(this.#names), { payload });
  }

  /** A device that is not heard may speak to another gateway by now, which has announced it as its own. */
  #announce(tracked: Tracked): void {
    const { view, available, booked } = tracked;
    if (!booked || available === undefined) return;
    if (available) {
      const payload = () => deviceConfig(this.#names, this.#version, view, tracked);
      this.#outbox.put(deviceConfigTopic(this.#names, view.id), { payload });
    }
    this.#putAvailable(tracked);
    if (available && !tracked.lateness.holds) this.#state(tracked, this.#ports.clock.monotonic());
  }

  #putAvailable(tracked: Tracked): void {
    const payload = () => Buffer.from(tracked.available ? 'online' : 'offline');
    this.#outbox.put(availableTopic(this.#names, tracked.view.id), { payload });
  }

  #state(tracked: Tracked, nowMs: number): void {
    this.#due.delete(tracked);
    if (!tracked.view.heard || !tracked.booked) return;
    tracked.statedMs = nowMs;
    this.#outbox.put(stateTopic(this.#names, tracked.view.id), { payload: () => tracked.view.encode() });
  }

  #drop(id: string): void {
    this.#ports.book.drop(id);
    this.#unsaved = true;
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return;
    this.#tracked.delete(id);
    this.#due.delete(tracked);
    this.#remove();
  }

  /** A retained message goes away when an empty one takes its place. */
  #remove(): void {
    const { book } = this.#ports;
    for (const topic of book.remove)
      this.#outbox.put(topic, {
        payload: () => NOTHING,
        acknowledged: () => {
          if (book.remove.delete(topic)) this.#unsaved = true;
        },
      });
  }

  #later(): void {
    this.#tick = this.#ports.clock.after(TICK_MS, () => {
      const nowMs = this.#ports.clock.monotonic();
      this.#ticks++;
      if (this.#ticks % LOOK_EVERY_TICKS === 0) this.#look(nowMs);
      for (const tracked of this.#due) {
        const { lateness } = tracked;
        if (lateness.holds ? lateness.settled(nowMs) : nowMs - tracked.statedMs >= STATE_EVERY_MS)
          this.#state(tracked, nowMs);
      }
      if (this.#unsaved && this.#saving === undefined) this.#save();
      this.#later();
    });
  }

  /** Who has gone from the keyring, who has another name, who is silent. */
  #look(nowMs: number): void {
    for (const [id, tracked] of this.#tracked) {
      const known = this.#ports.keyring.get(id);
      if (known === undefined) {
        this.#drop(id);
        continue;
      }
      if (known.name !== tracked.name) {
        tracked.name = known.name;
        this.#announce(tracked);
      }
      const heardMs = tracked.heardMs < 0 ? this.#beganMs : tracked.heardMs;
      // A sensor of sovereign-sdk may have nothing to say.
      if (tracked.sdk || tracked.available === false || nowMs - heardMs <= SILENT_MS) continue;
      tracked.available = false;
      this.#putAvailable(tracked);
    }
  }

  #save(): void {
    const { book, log } = this.#ports;
    const written = [...this.#tracked.values()].filter(({ booked }) => !booked);
    const versions = written.map(tracked => tracked.written);
    this.#unsaved = false;
    const saved = () => {
      this.#failure = '';
      if (!this.#off && !this.#gatewayBooked) {
        this.#gatewayBooked = true;
        this.#announceGateway();
      }
      for (const [index, tracked] of written.entries()) {
        tracked.saved = versions[index];
        if (this.#tracked.get(tracked.view.id) === tracked) this.#announce(tracked);
      }
    };
    const failed = (error: unknown) => {
      this.#unsaved = true;
      if (this.#failure !== String(error)) log.warn('homeassistant-book-not-saved', { error: String(error) });
      this.#failure = String(error);
    };
    this.#saving = book
      .save()
      .then(saved, failed)
      .finally(() => {
        this.#saving = undefined;
      });
  }
}
