/**
 * The gateway as a device: seals what its own switch says, keeps it until it is receipted, and sends it over a link of its
 * own (`OwnLink`), through the same gates and into the same journal as everybody's readings.
 */
import {
  type Digest,
  KeyChain,
  Kind,
  label,
  type Mac,
  type RecordWriter,
  Sealer,
  utf8,
} from '../../firmware/seal/index.js';
import type { Clock, Log } from '../ports.js';
import type { OwnKeys } from './own-keys.js';

/** Values by record name; a number is in seconds, or a count when its name says so. */
export type Said = Readonly<Record<string, boolean | string | { seconds: number } | { count: number }>>;

/** Sealed, and not receipted yet. */
export interface Held {
  readonly epoch: number;
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** The first 8 bytes of its tag. */
  readonly tag8: Uint8Array;
}

export interface OwnDevicePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly digest: Digest;
  readonly keys: OwnKeys;
}

const TAG_BYTES = 32;
const TAG8_BYTES = 8;
/** As boards have it: an epoch ends after so many readings, or so long. */
const EPOCH_READINGS = 65_536;
const EPOCH_MS = 86_400_000;
/** While the disk is full, transitions wait here; what comes beyond is counted and told. */
const MAX_HELD = 256;

export class OwnDevice {
  readonly firmware: string;
  /** Why it began. */
  readonly restart = 'gateway-start';
  /** Readings that could not be kept. */
  losses = 0;
  /** In the order of sealing; the oldest is sent first. */
  readonly held: Held[] = [];
  up: Mac | undefined;
  readonly #ports: OwnDevicePorts;
  readonly #sealer: Sealer;
  readonly #beganMs: number;
  readonly #waiting: { readonly said: Said; readonly kind: number }[] = [];
  #work: Promise<void> = Promise.resolve();
  #epochMs = 0;
  /** Nothing can be sealed any more in this run. */
  #broken = false;
  #sealed: () => void = () => {};

  constructor(ports: OwnDevicePorts, version: string) {
    this.#ports = ports;
    this.firmware = `sovereign-gateway ${version}`;
    this.#sealer = new Sealer(ports.digest, ports.keys.idBytes);
    this.#beganMs = ports.clock.monotonic();
  }

  get id(): Uint8Array {
    return this.#ports.keys.idBytes;
  }

  get epoch(): number {
    return this.#sealer.epoch;
  }

  get nextSeq(): number {
    return this.#sealer.nextSeq;
  }

  /** Called when there is something more in `held`. */
  onSealed(listener: () => void): void {
    this.#sealed = listener;
  }

  /** Begins the first epoch of this run. @throws Fault as `OwnKeys.begin` */
  begin(): Promise<void> {
    return this.#begin(this.restart, 0);
  }

  /** Seals what is to be said, or counts it as lost. */
  say(said: Said, kind = 0): void {
    if (this.#broken || this.held.length + this.#waiting.length >= MAX_HELD) {
      this.losses++;
      return;
    }
    this.#waiting.push({ said, kind });
    if (this.#waiting.length === 1) void this.#afterwards(() => this.#sealAll());
  }

  /** Everything up to here is durable. */
  receipted(epoch: number, seq: number): void {
    while (this.held[0] !== undefined && !later(this.held[0], epoch, seq)) this.held.shift();
  }

  /** This one will never be taken: it is given up, and that is said in its place. */
  refused(epoch: number, seq: number): void {
    const at = this.held.findIndex(held => held.epoch === epoch && held.seq === seq);
    if (at < 0) return;
    this.held.splice(at, 1);
    this.losses++;
    this.say({ lost: { count: this.losses }, 'lost-range': `${epoch}:${seq}-${seq}` }, Kind.loss);
  }

  /** The gateway has seen a later epoch of this device: what lies before it is not used again. */
  advance(epoch: number): Promise<void> {
    return this.#afterwards(async () => {
      if (epoch > this.epoch) await this.#begin('advance', epoch);
    });
  }

  /** Ends the epoch, so that nobody has to wonder what came after. */
  finish(): Promise<void> {
    return this.#afterwards(async () => {
      this.#seal({ reason: 'gateway-stop' }, Kind.final);
    });
  }

  /** Epochs and readings, one after another. */
  #afterwards(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#broken) return;
      await work().catch(error => this.#fail(error));
      this.#sealed();
    });
    return this.#work;
  }

  async #sealAll(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const ageMs = this.#ports.clock.monotonic() - this.#epochMs;
      if (this.nextSeq >= EPOCH_READINGS - 1 || ageMs >= EPOCH_MS) {
        this.#seal({ reason: 'rotation' }, Kind.final);
        await this.#begin('rotation', 0);
      }
      this.#waiting.shift();
      this.#seal(next.said, next.kind);
    }
  }

  async #begin(reason: string, least: number): Promise<void> {
    const { clock, digest, keys } = this.#ports;
    const { epoch, chain } = await keys.begin(least);
    const up = new KeyChain(digest).up(chain);
    this.up = digest.hmac(up);
    up.fill(0);
    this.#sealer.startEpoch(epoch, chain);
    chain.fill(0);
    this.#epochMs = clock.monotonic();
    this.#seal({ reason, firmware: this.firmware }, Kind.start);
  }

  #seal(said: Said, kind: number): void {
    const { clock } = this.#ports;
    const seq = this.nextSeq;
    const unixMs = clock.synchronised === false ? -1 : Math.max(0, Math.floor(clock.now()));
    const writer = this.#sealer.begin(Math.floor(clock.monotonic() - this.#beganMs), unixMs, kind);
    for (const [name, value] of Object.entries(said)) write(writer, name, value);
    const length = this.#sealer.seal();
    if (length === 0) {
      this.losses++;
      return;
    }
    const { buffer, start } = this.#sealer;
    const bytes = buffer.slice(start, start + length);
    const tag8 = bytes.subarray(length - TAG_BYTES, length - TAG_BYTES + TAG8_BYTES);
    this.held.push({ epoch: this.epoch, seq, bytes, tag8 });
  }

  #fail(error: unknown): void {
    this.#broken = true;
    this.losses += this.#waiting.length;
    this.#waiting.length = 0;
    this.#ports.log.error('panel-device-failed', { error: String(error) });
  }
}

function later(held: Held, epoch: number, seq: number): boolean {
  return held.epoch > epoch || (held.epoch === epoch && held.seq > seq);
}

function write(writer: RecordWriter, name: string, value: Said[string]): void {
  if (typeof value === 'boolean') writer.bool(label(name), value);
  else if (typeof value === 'string') writer.text(label(name), utf8(value));
  else if ('seconds' in value) writer.number(label(name, 's'), value.seconds);
  else writer.number(label(name, 'count'), value.count);
}
