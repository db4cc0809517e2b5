/** A whole intake with a real journal on a real disk, over links in memory and a clock that the test moves. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Digest, Mac } from '../../../firmware/seal/index.js';
import { Intake, type IntakeOptions } from '../../../host/intake/intake.js';
import type { DeviceEntry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { systemRandom } from '../../../host/node/random.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Link, LinkHandler, LinkSource, LogFields } from '../../../host/ports.js';
import { FakeClock } from '../../support/fake-clock.js';
import { VirtualIdentity, VirtualPeer } from '../../support/virtual-peer.js';

export class FakeLink implements Link {
  readonly name: string;
  pendingBytes = 0;
  open = true;
  paused = false;
  handler: LinkHandler | undefined;
  receive: (bytes: Uint8Array) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  send(bytes: Uint8Array): void {
    if (this.open) this.receive(bytes.slice());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    this.end('closed by the gateway');
  }

  end(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.handler?.closed(reason);
  }
}

export class FakeSource implements LinkSource {
  #accept: ((link: Link) => LinkHandler) | undefined;
  readonly links: FakeLink[] = [];

  start(accept: (link: Link) => LinkHandler): Promise<void> {
    this.#accept = accept;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    for (const link of this.links) link.end('stopped');
    return Promise.resolve();
  }

  connect(name: string, receive: (bytes: Uint8Array) => void = () => {}): FakeLink {
    const link = new FakeLink(name);
    link.receive = receive;
    this.links.push(link);
    link.handler = this.#accept!(link);
    return link;
  }
}

/** `node:crypto`, with every key that is set up and every MAC counted. */
export class CountingDigest implements Digest {
  keys = 0;
  macs = 0;

  sha256(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    nodeDigest.sha256(data, from, to, out, at);
  }

  hmac(key: Uint8Array): Mac {
    this.keys++;
    const mac = nodeDigest.hmac(key);
    return {
      compute: (data, from, to, out, at) => {
        this.macs++;
        mac.compute(data, from, to, out, at);
      },
    };
  }
}

export interface Connection {
  readonly link: FakeLink;
  readonly peer: VirtualPeer;
}

export class Rig {
  readonly directory: string;
  readonly clock = new FakeClock();
  readonly digest = new CountingDigest();
  readonly logged: { level: string; event: string; fields: LogFields }[] = [];
  readonly tcp = new FakeSource();
  readonly serial = new FakeSource();
  readonly sdk = new FakeSource();
  /** While set, the journal takes nothing. */
  stalled = false;
  entries: KeyringEntry[] = [];
  keyring!: Keyring;
  journal!: Journal;
  intake!: Intake;
  /** What became durable, in order. */
  readonly durable: DeviceEntry[] = [];

  constructor(directory: string) {
    this.directory = directory;
  }

  static async start(
    t: ExecutionContext,
    entries: KeyringEntry[],
    options: Partial<IntakeOptions> = {},
    directory = temporary(t),
  ): Promise<Rig> {
    const rig = new Rig(directory);
    rig.useKeyring(entries);
    const record =
      (level: string) =>
      (event: string, fields: LogFields = {}) =>
        void rig.logged.push({ level, event, fields });
    const log = {
      debug: record('debug'),
      info: record('info'),
      warn: record('warn'),
      error: record('error'),
    };
    const { clock, digest } = rig;
    const storage = new NodeStorage();
    rig.journal = await Journal.open({ storage, clock, log }, { directory: join(directory, 'journal') });
    rig.journal.onDurable(batch => rig.durable.push(...batch.filter(entry => entry.kind !== 'handover')));
    const { journal } = rig;
    rig.intake = await Intake.open(
      { clock, random: systemRandom, log, storage, digest },
      {
        positions: journal.positions,
        recentTags: journal.recentTags,
        recovering: journal.recovering,
        append: entry => !rig.stalled && journal.append(entry),
        onDurable: listener => journal.onDurable(listener),
        reader: from => journal.reader(from),
      },
      {
        size: 0,
        get: id => rig.keyring.get(id),
        byNode: node => rig.keyring.byNode(node),
        byName: name => rig.keyring.byName(name),
        entries: () => rig.keyring.entries(),
      },
      {
        quarantineDirectory: join(directory, 'quarantine'),
        evidenceDirectory: join(directory, 'evidence'),
        reserveBytes: 0,
        ...options,
      },
    );
    await rig.intake.listenTcp(rig.tcp, 128);
    await rig.intake.listen(rig.serial);
    await rig.intake.listenSdk(rig.sdk);
    t.teardown(() => rig.stop());
    return rig;
  }

  useKeyring(entries: KeyringEntry[]): void {
    this.entries = entries;
    this.keyring = new Keyring(entries);
  }

  async stop(): Promise<void> {
    await this.intake.stop();
    await this.journal.close();
  }

  /** A device on a link of its own, challenged but silent. */
  connect(identity: VirtualIdentity, source = this.tcp): Connection {
    let link: FakeLink | undefined;
    const peer = new VirtualPeer(identity, bytes => link!.open && link!.handler?.data(bytes));
    link = source.connect(source === this.serial ? 'serial:/dev/ttyACM0' : 'tcp:192.0.2.7', bytes =>
      peer.receive(bytes),
    );
    return { link, peer };
  }

  /** Resolves when the disk has everything that the journal has taken, and those who wait for that know it. */
  async synced(): Promise<void> {
    await this.disk();
    await this.quiet();
  }

  /** Lets the disk catch up: the clock of the test may not outrun it. */
  async disk(): Promise<void> {
    for (let turn = 0; this.journal.durableOffset < this.journal.nextOffset; turn++) {
      if (turn > 20_000) throw new Error('the journal does not come to rest');
      await new Promise(resolve => (turn < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
  }

  /** A few turns of the event loop, real I/O of evidence and quarantine included. */
  async quiet(done: () => boolean = () => true): Promise<void> {
    for (let turn = 0; turn < 2000; turn++) {
      await new Promise(resolve => setTimeout(resolve, 1));
      if (turn >= 3 && done()) return;
    }
    throw new Error('what was awaited did not come');
  }

  count(name: string): number {
    return this.intake.counters.get(name);
  }

  events(event: string): LogFields[] {
    return this.logged.filter(line => line.event === event).map(({ fields }) => fields);
  }

  device(identity: VirtualIdentity) {
    return this.intake.status().devices.find(({ id }) => id === identity.idText)!;
  }

  /** Journalled readings as `epoch/seq`, gaps as `epoch/seq..epoch/seq`. */
  story(): string[] {
    return this.durable.map(entry =>
      entry.kind === 'reading'
        ? `${entry.epoch}/${entry.seq}`
        : `gap ${entry.from.join('/')}..${entry.to.join('/')}`,
    );
  }
}

export function identity(number = 1): VirtualIdentity {
  return new VirtualIdentity(nodeDigest, number);
}

export function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-intake-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
