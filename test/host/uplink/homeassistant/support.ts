import { label, Sealer, utf8 } from '../../../../firmware/seal/index.js';
import type { ReadingEntry } from '../../../../host/journal/entry.js';
import type { KeyringEntry, KeyringView } from '../../../../host/keyring/entry.js';
import { nodeDigest } from '../../../../host/node/digest.js';
import { Book } from '../../../../host/uplink/homeassistant/book.js';
import { HomeAssistant } from '../../../../host/uplink/homeassistant/home-assistant.js';
import { MemoryStorage } from '../../../fuzz/memory-storage.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { TestLog } from '../support.js';

export const NAMES = { prefix: 'homeassistant', site: 'cellar', gateway: 'gw' };

/** A keyring that the test changes. */
export class TestKeyring implements KeyringView {
  readonly #entries = new Map<string, KeyringEntry>();

  get size(): number {
    return this.#entries.size;
  }

  set(id: string, name: string, more: Partial<KeyringEntry> = {}): void {
    this.#entries.set(id, { id, name, epoch: 1, chain: new Uint8Array(32), ...more });
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }

  get(id: string): KeyringEntry | undefined {
    return this.#entries.get(id);
  }

  byNode(): undefined {}

  byName(name: string): KeyringEntry | undefined {
    return [...this.#entries.values()].find(entry => entry.name === name);
  }

  entries(): Iterable<KeyringEntry> {
    return this.#entries.values();
  }
}

export type Value = number | boolean | string;

/** A device whose readings hold what the test says: real envelopes. Keys of `values`: a name, or `name unit`. */
export class SaidDevice {
  readonly id: string;
  readonly #sealer: Sealer;
  readonly #epoch: number;

  constructor(number: number, epoch = 1) {
    const id = new Uint8Array(8).fill(number);
    this.id = Buffer.from(id).toString('hex');
    this.#sealer = new Sealer(nodeDigest, id);
    this.#epoch = epoch;
    this.#sealer.startEpoch(epoch, new Uint8Array(32).fill(number));
  }

  /** @param unixMs when it was taken; -1: it does not know */
  says(values: Readonly<Record<string, Value>>, unixMs: number, at = unixMs): ReadingEntry {
    const seq = this.#sealer.nextSeq;
    const writer = this.#sealer.begin(1000, unixMs, 0);
    for (const [key, value] of Object.entries(values)) {
      const [name, unit] = key.split(' ');
      const record = label(name!, unit);
      if (typeof value === 'number') writer.number(record, value);
      else if (typeof value === 'boolean') writer.bool(record, value);
      else writer.text(record, utf8(value));
    }
    const length = this.#sealer.seal();
    if (length === 0) throw new Error('not sealed');
    const { buffer, start } = this.#sealer;
    const bytes = buffer.slice(start, start + length);
    const tag8 = Buffer.from(bytes.subarray(-32, -24)).toString('hex');
    const { id: device } = this;
    return {
      kind: 'reading',
      at,
      link: 'test',
      device,
      epoch: this.#epoch,
      seq,
      bytes,
      tag8,
      final: false,
      offset: -1,
    };
  }
}

/** A gateway's part for Home Assistant over a broker that takes everything, and time that the test moves. */
export class Rig {
  readonly clock = new FakeClock();
  readonly log = new TestLog();
  readonly keyring = new TestKeyring();
  storage = new MemoryStorage();
  names = NAMES;
  /** What stands at the broker. */
  readonly retained = new Map<string, string>();
  /** Everything that was published, as `topic payload`. */
  published: string[] = [];
  home!: HomeAssistant;
  #connected = false;

  /** A gateway begins, with what an earlier one has left. */
  async start(off = false, replaces: readonly string[] = []): Promise<this> {
    const { clock, log, keyring } = this;
    const book = await Book.open(this.storage, log, '/data');
    const random = { fill: (target: Uint8Array) => void target.fill(128) };
    this.home = new HomeAssistant(
      { clock, log, keyring, random, book },
      { names: this.names, version: '1.0.0', replaces, off },
    );
    return this;
  }

  async stop(): Promise<void> {
    this.disconnect();
    await this.home.close();
  }

  connect(maxPacketBytes?: number): this {
    this.#connected = true;
    this.home.connected({ maxPacketBytes }, () => this.#drain());
    this.#drain();
    return this;
  }

  disconnect(): void {
    this.#connected = false;
    this.home.disconnected();
  }

  says(device: SaidDevice, values: Readonly<Record<string, Value>>, ageMs = 0): void {
    this.home.observe([device.says(values, this.clock.now() - ageMs, this.clock.now())]);
  }

  pass(ms: number): Promise<void> {
    return this.clock.pass(ms, 500);
  }

  /** What was published on topics that end so, since this was asked last. */
  since(end: string): string[] {
    const found = this.published.filter(line => line.split(' ')[0]!.endsWith(end));
    this.published = [];
    return found.map(line => line.slice(line.indexOf(' ') + 1));
  }

  #drain(): void {
    while (this.#connected) {
      const outgoing = this.home.next();
      if (outgoing === undefined) return;
      const { topic, payload, retain } = outgoing.message;
      const text = Buffer.from(payload).toString();
      if (!retain || !outgoing.optional) throw new Error(`${topic} is not retained, or costs the connection`);
      this.published.push(`${topic} ${text}`);
      if (text === '') this.retained.delete(topic);
      else this.retained.set(topic, text);
      outgoing.acknowledged();
    }
  }
}
