/**
 * The gateway speaks to a device only in a session that the device has offered: whatever it sends bears the nonces of a hello
 * under the device's own key, which answered a challenge of this very connection. Somebody who carries challenge and hello from one
 * connection to another is a longer wire, and may keep a device from being heard; nobody takes its place.
 */
import {
  FrameDecoder,
  FrameType,
  KeyChain,
  MessageReader,
  toHex,
  UpKind,
} from '../../../firmware/seal/index.js';
import { nodeDigest } from '../../../host/node/digest.js';
import type { DeviceKeys } from '../actors/keys.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { GatewayPort } from '../network/gateway-port.js';
import type { LinkConnection } from '../network/link-connection.js';

const ID_BYTES = 8;
const NONCE_BYTES = 16;
/** No device of a run comes so far. */
const MAX_EPOCH = 20_000;

/** One connection. */
interface Talk {
  readonly challenges: Set<string>;
  readonly up: FrameDecoder;
  readonly down: FrameDecoder;
}

export class SessionCheck {
  readonly #world: World;
  readonly #keys: ReadonlyMap<string, DeviceKeys>;
  readonly #chain = new KeyChain(nodeDigest);
  readonly #reader = new MessageReader();
  readonly #talks = new WeakMap<LinkConnection, Talk>();
  readonly #challenges = new Set<string>();
  /** Nonces of both sides. */
  readonly #offered = new Set<string>();

  constructor(world: World, keys: Iterable<DeviceKeys>) {
    this.#world = world;
    this.#keys = new Map([...keys].map(device => [device.id, device]));
  }

  watch(port: GatewayPort): void {
    port.onSaid = (direction, bytes, connection) => this.#talk(connection)[direction].push(bytes);
  }

  #talk(connection: LinkConnection): Talk {
    let talk = this.#talks.get(connection);
    if (talk === undefined) {
      const challenges = new Set<string>();
      talk = {
        challenges,
        up: new FrameDecoder((type, buffer, from, to) => this.#up(type, buffer, from, to)),
        down: new FrameDecoder((type, buffer, from, to) => this.#down(challenges, type, buffer, from, to)),
      };
      this.#talks.set(connection, talk);
    }
    return talk;
  }

  #up(type: number, buffer: Uint8Array, from: number, to: number): void {
    const reader = this.#reader;
    if (type !== FrameType.up || reader.parseUp(buffer, from, to) !== '' || reader.kind !== UpKind.hello)
      return;
    const keys = this.#keys.get(toHex(buffer, reader.idAt, reader.idAt + ID_BYTES));
    if (keys === undefined || reader.epoch > MAX_EPOCH) return;
    if (!this.#challenges.has(toHex(buffer, reader.gwNonceAt, reader.gwNonceAt + NONCE_BYTES))) return;
    const mac = nodeDigest.hmac(this.#chain.up(keys.chain(reader.epoch)));
    if (reader.verify(mac)) this.#offered.add(this.#nonces(buffer));
  }

  #down(challenges: Set<string>, type: number, buffer: Uint8Array, from: number, to: number): void {
    const reader = this.#reader;
    if (type === FrameType.challenge) {
      if (reader.parseChallenge(buffer, from, to) !== '') return;
      const nonce = toHex(buffer, reader.gwNonceAt, reader.gwNonceAt + NONCE_BYTES);
      challenges.add(nonce);
      this.#challenges.add(nonce);
    } else if (type === FrameType.down && reader.parseDown(buffer, from, to) === '') {
      const nonce = toHex(buffer, reader.gwNonceAt, reader.gwNonceAt + NONCE_BYTES);
      if (challenges.has(nonce) && this.#offered.has(this.#nonces(buffer))) return;
      const device = toHex(buffer, reader.idAt, reader.idAt + ID_BYTES);
      this.#world.fail(
        new Violation('a session is what a device has offered', `of ${device}, kind ${reader.kind}`),
      );
    }
  }

  /** Of the message parsed last, with its device. */
  #nonces(buffer: Uint8Array): string {
    const { idAt, gwNonceAt, devNonceAt } = this.#reader;
    const id = toHex(buffer, idAt, idAt + ID_BYTES);
    const gateway = toHex(buffer, gwNonceAt, gwNonceAt + NONCE_BYTES);
    return `${id} ${gateway} ${toHex(buffer, devNonceAt, devNonceAt + NONCE_BYTES)}`;
  }
}
