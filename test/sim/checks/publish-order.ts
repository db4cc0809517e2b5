/**
 * What a gateway publishes: the first time, each device's readings in their order; and which of them it was told are taken.
 *
 * With `live-first` there are two orders at a time, that of what comes in and that of what was there before, which says that
 * it is historical; batches are of either.
 */
import type { BrokerMessage } from '../../../host/ports.js';
import { parseTopic } from '../../../host/uplink/topics.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { Stored } from '../network/broker-session.js';
import type { BrokerObserver } from '../network/sim-broker.js';
import { type Claim, Payloads } from './payloads.js';
import { epochAndSeq, place, placeText } from './places.js';

interface Published {
  /** The furthest that was published. */
  top: number;
  /** The furthest of this connection: what is new, what is historical. */
  tops: [number, number];
  readonly all: Set<number>;
}

export class PublishCheck implements BrokerObserver {
  order: 'oldest-first' | 'live-first' = 'oldest-first';
  /** Readings that were published. */
  readings = 0;
  repeated = 0;
  batches = 0;
  /** When the broker first said that it has a status of this gateway, in virtual ms: before, nobody can know that it is there. */
  announcedMs = Number.POSITIVE_INFINITY;
  /** Told of each PUBACK that reaches a gateway for a reading, before the gateway is. */
  onAcknowledged: ((payload: Uint8Array) => void) | undefined;
  /** Whether the medium has made a reading unreadable, for a while or for ever: then others go before it. */
  excused: (device: string, epoch: number, seq: number) => boolean = () => false;
  /** Since when the gateway is to publish nothing, in virtual ms; -1: it may. */
  pausedMs: () => number = () => -1;
  /** When a reading became durable, in virtual ms; -1: it did not. */
  durableMs: (payload: Uint8Array) => number = () => -1;
  readonly payloads = new Payloads();
  /** Of the gateway that this one goes on for: what it has published, this one publishes again when it is asked for it. */
  before: PublishCheck | undefined;
  readonly #world: World;
  readonly #prefix: string;
  readonly #devices = new Map<string, Published>();
  readonly #acknowledged = new WeakSet<Uint8Array>();
  readonly #acknowledgedPlaces = new Map<string, Set<number>>();

  /** @param prefix of gateways' client ids */
  constructor(world: World, prefix = 'sovereign-') {
    this.#world = world;
    this.#prefix = prefix;
  }

  isAcknowledged(device: string, epoch: number, seq: number): boolean {
    return this.#acknowledgedPlaces.get(device)?.has(place(epoch, seq)) ?? false;
  }

  hasPublished(device: string, at: number): boolean {
    return (this.#devices.get(device)?.all.has(at) || this.before?.hasPublished(device, at)) ?? false;
  }

  connected(clientId: string): void {
    if (!clientId.startsWith(this.#prefix)) return;
    for (const published of this.#devices.values()) published.tops = [-1, -1];
  }

  published(clientId: string, { topic, payload, historical }: Stored): void {
    if (!clientId.startsWith(this.#prefix)) return;
    const parsed = parseTopic(topic);
    const claims = this.payloads.of(topic, payload);
    if (parsed?.kind === 'batch') this.batches++;
    for (const claim of claims) {
      if (claim === undefined) {
        this.#fail('what is published is a reading', `${payload.length} bytes on ${topic}`);
        return;
      }
      if (parsed?.kind === 'sealed' && parsed.device !== claim.device)
        this.#fail('a reading is published under its device', `${claim.device} on ${topic}`);
      const old = historical === true || topic.endsWith('/historical');
      this.#reading(claim, old, parsed?.kind === 'batch');
    }
  }

  acknowledged(clientId: string, { topic, payload }: BrokerMessage): void {
    if (!clientId.startsWith(this.#prefix)) return;
    if (this.announcedMs > this.#world.nowMs && parseTopic(topic)?.kind === 'status')
      this.announcedMs = this.#world.nowMs;
    for (const claim of this.payloads.of(topic, payload)) {
      if (claim === undefined) continue;
      this.onAcknowledged?.(claim.bytes);
      if (this.#acknowledged.has(claim.bytes)) continue;
      this.#acknowledged.add(claim.bytes);
      const places = this.#acknowledgedPlaces.get(claim.device);
      if (places === undefined) this.#acknowledgedPlaces.set(claim.device, new Set([claim.at]));
      else places.add(claim.at);
    }
  }

  #reading({ device, at, bytes }: Claim, historical: boolean, batch: boolean): void {
    this.readings++;
    const pausedMs = this.pausedMs();
    // What was there before may have been under way.
    if (pausedMs >= 0 && this.durableMs(bytes) > pausedMs)
      this.#fail('a paused gateway publishes nothing', `${device} ${placeText(at)}`);
    let published = this.#devices.get(device);
    if (published === undefined) {
      published = { top: -1, tops: [-1, -1], all: new Set() };
      this.#devices.set(device, published);
    }
    if (published.all.has(at) || this.before?.hasPublished(device, at)) {
      this.repeated++;
      return;
    }
    published.all.add(at);
    const live = this.order === 'live-first';
    const lane = historical ? 1 : 0;
    const before = live ? published.tops[lane] : published.top;
    if (at < before && !(live && batch) && !this.excused(device, ...epochAndSeq(at)))
      this.#fail(
        'readings are published in order',
        `${device} ${placeText(at)} for the first time after ${placeText(before)}`,
      );
    published.top = Math.max(published.top, at);
    if (!batch) published.tops[lane] = Math.max(published.tops[lane], at);
  }

  #fail(what: string, details: string): void {
    this.#world.fail(new Violation(what, details));
  }
}
