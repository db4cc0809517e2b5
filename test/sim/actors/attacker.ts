/**
 * Somebody on the network who has no key: on links he replays, reorders, forges, cuts short and floods; at the broker
 * (`BrokerAttacker`) he publishes what he likes, where he likes, and takes over client ids.
 *
 * What he may not bring about: that anything is printed that was not sealed so, twice, or lost without a gap; that a reading
 * is lost that was receipted. What he may, at the broker: that a gap is called final that is none (the status of a gateway is
 * not sealed), and that everything takes longer.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import {
  FrameDecoder,
  FrameEncoder,
  FrameType,
  fromHex,
  MessageReader,
  MessageWriter,
  NONCE_BYTES,
} from '../../../firmware/seal/index.js';
import { nodeDigest } from '../../../host/node/digest.js';
import type { World } from '../kernel/world.js';
import type { GatewayPort } from '../network/gateway-port.js';
import type { DeviceSocket, Direction, LinkConnection } from '../network/link-connection.js';
import type { SimBroker } from '../network/sim-broker.js';
import { BrokerAttacker } from './broker-attacker.js';
import { Forger, flipped, noise, tagFlipped } from './forgery.js';

export interface AttackerOptions {
  readonly ports: readonly GatewayPort[];
  readonly broker?: SimBroker;
  readonly site: string;
  readonly gateway: string;
  /** Ids of devices, 16 hex digits. */
  readonly devices: readonly string[];
  /** Client ids that he knows besides the gateway's. */
  readonly clients?: readonly string[];
}

interface Frame {
  readonly type: number;
  readonly body: Uint8Array;
}

const MAX_RECORDED = 48;
const CURLY_BRACKET = 0x7b;

export class Attacker {
  readonly #world: World;
  readonly #options: AttackerOptions;
  /** Chunks that went over links, the last ones. */
  readonly #recorded: Record<Direction, Uint8Array[]> = { up: [], down: [] };
  readonly #encoder = new FrameEncoder(4074);
  readonly #forger: Forger;

  constructor(world: World, options: AttackerOptions) {
    this.#world = world;
    this.#options = options;
    this.#forger = new Forger(options.devices);
  }

  start(): void {
    const { faults } = this.#world;
    for (const port of this.#options.ports) {
      const before = port.onTraffic;
      port.onTraffic = (direction, bytes, connection) => {
        before(direction, bytes, connection);
        const recorded = this.#recorded[direction];
        if (recorded.length >= 2 * MAX_RECORDED) recorded.splice(0, MAX_RECORDED);
        recorded.push(bytes);
      };
    }
    faults.arrivals('attack-link-forge', chance =>
      this.#onLink(chance, port =>
        port.kind === 'sdk' ? this.#forgedLines(chance) : this.#forgedFrames(chance),
      ),
    );
    faults.arrivals('attack-link-replay', chance => this.#replay(chance));
    faults.arrivals('attack-link-flood', chance => this.#flood(chance));
    const { broker } = this.#options;
    if (broker !== undefined) new BrokerAttacker(this.#world, broker, this.#options, this.#forger).start();
  }

  // On links

  /** Sends on a connection of his own, or puts bytes onto somebody else's. */
  #onLink(chance: SeededRandom, made: (port: GatewayPort) => Uint8Array[]): void {
    const port = this.#port(chance);
    const chunks = () => made(port);
    const open = port.connections;
    if (open.length > 0 && (port.kind === 'serial' || chance.unit() < 0.6)) {
      const connection: LinkConnection = open[chance.below(open.length)];
      for (const bytes of chunks()) connection.inject(chance.unit() < 0.75 ? 'up' : 'down', bytes);
    } else if (port.kind !== 'serial') this.#dial(port, chance, chunks);
  }

  #dial(port: GatewayPort, chance: SeededRandom, chunks: () => Uint8Array[]): void {
    const socket: DeviceSocket = port.dial({
      up: () => {
        for (const bytes of chunks()) socket.send(bytes);
      },
      down: () => {},
      data: bytes => {
        if (port.kind === 'tcp' && chance.unit() < 0.5) this.#answer(chance, socket, bytes);
      },
    });
    this.#world.after(1000 + 60_000 * chance.unit(), () =>
      chance.unit() < 0.5 ? socket.close() : socket.vanish(),
    );
  }

  #replay(chance: SeededRandom): void {
    const port = this.#port(chance);
    const direction: Direction = chance.unit() < 0.6 ? 'up' : 'down';
    // What sovereign-sdk sensors say is no frame, and the other way round.
    const recorded = this.#recorded[direction].filter(
      bytes => (bytes[0] === CURLY_BRACKET) === (port.kind === 'sdk'),
    );
    if (recorded.length === 0) return;
    const chunks: Uint8Array[] = [];
    const from = chance.below(recorded.length);
    for (let i = 1 + chance.below(8); i > 0; i--) chunks.push(recorded[(from + i) % recorded.length]);
    const send = () => {
      const open = port.connections;
      if (open.length > 0 && (port.kind === 'serial' || direction === 'down' || chance.unit() < 0.5)) {
        const connection = open[chance.below(open.length)];
        for (const bytes of chunks) connection.inject(direction, bytes);
      } else if (port.kind !== 'serial') this.#dial(port, chance, () => chunks);
    };
    // At once, or when the session it was recorded in is long over.
    if (chance.unit() < 0.4) send();
    else this.#world.after(10 ** (2 + 4.5 * chance.unit()), send);
  }

  #flood(chance: SeededRandom): void {
    const ports = this.#options.ports.filter(({ kind }) => kind !== 'serial');
    if (ports.length === 0) return;
    const port = ports[chance.below(ports.length)];
    const manner = chance.below(3);
    for (let count = 4 + chance.below(60); count > 0; count--) {
      this.#dial(port, chance, () => {
        if (manner === 0) return [];
        if (manner === 1) return [noise(chance, 200)];
        return Array.from({ length: 5 }, () => this.#frame(this.#forgedReading(chance)));
      });
    }
  }

  /** Says hello in a device's name, with a key that is none, or with a hello that was overheard. */
  #answer(chance: SeededRandom, socket: DeviceSocket, bytes: Uint8Array): void {
    const reader = new MessageReader();
    for (const { type, body } of framesOf(bytes)) {
      if (type !== FrameType.challenge || reader.parseChallenge(body, 0, body.length) !== '') continue;
      const device = new Uint8Array(NONCE_BYTES);
      chance.fill(device);
      const key = new Uint8Array(32);
      chance.fill(key);
      const { devices } = this.#options;
      const id = fromHex(devices[chance.below(devices.length)])!;
      const writer = new MessageWriter();
      const gateway = body.slice(reader.gwNonceAt, reader.gwNonceAt + NONCE_BYTES);
      const epoch = chance.below(10);
      const oldest = chance.unit() < 0.5 ? { epoch, seq: chance.below(1000) } : undefined;
      const facts = { epoch, next: 1000, oldest, backlog: 0, losses: 0, firmware: 'x', restart: 'x' };
      const length = writer.hello(nodeDigest.hmac(key), id, { gateway, device }, facts);
      const hello = writer.buffer.slice(writer.start, writer.start + length);
      socket.send(this.#frame({ type: FrameType.up, body: hello }));
    }
  }

  /** Lines of sovereign-sdk sensors with another digit somewhere. */
  #forgedLines(chance: SeededRandom): Uint8Array[] {
    const lines = this.#recorded.up.filter(bytes => bytes[0] === CURLY_BRACKET);
    if (lines.length === 0) return [noise(chance, 200)];
    return Array.from({ length: 1 + chance.below(4) }, () => {
      const line = Uint8Array.from(lines[chance.below(lines.length)]);
      const digits = [...line.keys()].filter(i => line[i] >= 0x31 && line[i] <= 0x39);
      if (digits.length > 0) line[digits[chance.below(digits.length)]] = 0x31 + chance.below(9);
      return line;
    });
  }

  #forgedFrames(chance: SeededRandom): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let count = 1 + chance.below(6); count > 0; count--) chunks.push(this.#forgedFrame(chance));
    return chunks;
  }

  #forgedFrame(chance: SeededRandom): Uint8Array {
    const manner = chance.below(7);
    if (manner === 0) return this.#frame(this.#forgedReading(chance));
    if (manner > 4) return this.#alteredReading(chance);
    if (manner === 1) return noise(chance, 400);
    const recorded = this.#recorded[chance.unit() < 0.8 ? 'up' : 'down'];
    const frames = recorded.length === 0 ? [] : framesOf(recorded[chance.below(recorded.length)]);
    if (frames.length === 0) return this.#frame({ type: chance.below(8), body: noise(chance, 120) });
    const { type, body } = frames[chance.below(frames.length)];
    // The checksum is made anew: it is no line noise.
    if (manner === 2) return this.#frame({ type, body: flipped(chance, body) });
    if (manner === 3) return this.#frame({ type, body: body.subarray(0, chance.below(body.length + 1)) });
    return this.#frame({ type: 1 + chance.below(6), body });
  }

  /** One that was sent just now, with another tag or otherwise altered. */
  #alteredReading(chance: SeededRandom): Uint8Array {
    const readings = this.#recorded.up
      .slice(-8)
      .flatMap(framesOf)
      .filter(({ type }) => type === FrameType.reading);
    if (readings.length === 0) return noise(chance, 100);
    const { type, body } = readings[chance.below(readings.length)];
    return this.#frame({
      type,
      body: chance.unit() < 0.7 ? tagFlipped(chance, body) : flipped(chance, body),
    });
  }

  /** A right header, and a key that is none. */
  #forgedReading(chance: SeededRandom): Frame {
    return { type: FrameType.reading, body: this.#forger.envelope(chance).bytes };
  }

  #frame({ type, body }: Frame): Uint8Array {
    const framed = this.#encoder.encode(type, body, 0, body.length);
    return this.#encoder.buffer.slice(0, framed);
  }

  #port(chance: SeededRandom): GatewayPort {
    const { ports } = this.#options;
    return ports[chance.below(ports.length)];
  }
}

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((type, buffer, from, to) => {
    frames.push({ type, body: buffer.slice(from, to) });
  });
  decoder.push(bytes);
  return frames;
}
