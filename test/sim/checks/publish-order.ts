/**
 * What a gateway publishes: the first time, each device's readings in their order; and which of them it was told are taken.
 */
import { EnvelopeReader, toHex } from '../../../firmware/seal/index.js';
import { isEnvelope, readSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import type { BrokerMessage } from '../../../host/ports.js';
import { parseTopic } from '../../../host/uplink/topics.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { BrokerObserver } from '../network/sim-broker.js';
import { epochAndSeq, place, placeText } from './places.js';

interface Published {
  /** The furthest that was published. */
  top: number;
  readonly all: Set<number>;
}

const SDK_SEQUENCE = /"q":(\d+)/;

export class PublishCheck implements BrokerObserver {
  /** Messages on sealed topics. */
  messages = 0;
  repeated = 0;
  /** Told of each PUBACK that reaches a gateway for a message on a sealed topic, before the gateway is. */
  onAcknowledged: ((payload: Uint8Array) => void) | undefined;
  /** Whether the medium has made a reading unreadable, for a while or for ever: then others go before it. */
  excused: (device: string, epoch: number, seq: number) => boolean = () => false;
  readonly #world: World;
  readonly #prefix: string;
  readonly #envelope = new EnvelopeReader();
  readonly #devices = new Map<string, Published>();
  readonly #acknowledged = new Set<Uint8Array>();
  readonly #acknowledgedPlaces = new Map<string, Set<number>>();
  /** Places of payloads, which are the journal's own arrays and come again and again. */
  readonly #places = new WeakMap<Uint8Array, readonly [device: string, at: number]>();

  /** @param prefix of gateways' client ids */
  constructor(world: World, prefix = 'sovereign-') {
    this.#world = world;
    this.#prefix = prefix;
  }

  isAcknowledged(device: string, epoch: number, seq: number): boolean {
    return this.#acknowledgedPlaces.get(device)?.has(place(epoch, seq)) ?? false;
  }

  published(clientId: string, topic: string, payload: Uint8Array): void {
    if (!clientId.startsWith(this.#prefix) || !topic.endsWith('/sealed')) return;
    const [device, at] = this.#place(payload);
    const parsed = parseTopic(topic);
    if (parsed?.kind !== 'sealed' || parsed.device !== device)
      this.#world.fail(new Violation('a reading is published under its device', `${device} on ${topic}`));
    this.messages++;
    let published = this.#devices.get(device);
    if (published === undefined) {
      published = { top: -1, all: new Set() };
      this.#devices.set(device, published);
    }
    if (published.all.has(at)) {
      this.repeated++;
      return;
    }
    if (at < published.top && !this.excused(device, ...epochAndSeq(at)))
      this.#world.fail(
        new Violation(
          'readings are published in order',
          `${device} ${placeText(at)} for the first time after ${placeText(published.top)}`,
        ),
      );
    published.all.add(at);
    published.top = Math.max(published.top, at);
  }

  acknowledged(clientId: string, { topic, payload }: BrokerMessage): void {
    if (!clientId.startsWith(this.#prefix) || !topic.endsWith('/sealed')) return;
    this.onAcknowledged?.(payload);
    if (this.#acknowledged.has(payload)) return;
    this.#acknowledged.add(payload);
    const [device, at] = this.#place(payload);
    const places = this.#acknowledgedPlaces.get(device);
    if (places === undefined) this.#acknowledgedPlaces.set(device, new Set([at]));
    else places.add(at);
  }

  #place(payload: Uint8Array): readonly [device: string, at: number] {
    const known = this.#places.get(payload);
    if (known !== undefined) return known;
    const found = this.#read(payload);
    this.#places.set(payload, found);
    return found;
  }

  #read(payload: Uint8Array): readonly [device: string, at: number] {
    const envelope = this.#envelope;
    if (isEnvelope(payload) && envelope.parse(payload, 0, payload.length) === '')
      return [toHex(payload, envelope.idAt, envelope.idAt + 8), place(envelope.epoch, envelope.seq)];
    const wrapped = isEnvelope(payload) ? undefined : readSdkPayload(payload);
    const sequence = wrapped && SDK_SEQUENCE.exec(Buffer.from(wrapped.frame).toString('latin1'));
    if (wrapped === undefined || !sequence) {
      this.#world.fail(new Violation('what is published is a reading', toHex(payload, 0, payload.length)));
      return ['', 0];
    }
    return [sdkDevice(wrapped.node), place(wrapped.epoch, Number(sequence[1]))];
  }
}
