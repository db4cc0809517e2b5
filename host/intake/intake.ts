/**
 * Everything that comes in: links, gates, order, journal, receipts. This file only puts the parts together
 * and carries the journal's word to the devices.
 */
import type { Digest, NamedSourceSettings } from '../../firmware/seal/index.js';
import type { Pulse } from '../health.js';
import type { DevicePosition, Entry, ReadingEntry, RecentTag } from '../journal/entry.js';
import { globalBudget, linkBudget } from '../keyring/budget.js';
import { KeyCache } from '../keyring/chains.js';
import type { KeyringView } from '../keyring/entry.js';
import type { Clock, LinkSource, Log, Random, Storage, Timer } from '../ports.js';
import { Acceptor, type IntakeJournal } from './acceptor.js';
import { Counters } from './counters.js';
import { Crowd, type CrowdLimits } from './crowd.js';
import { type Device, Devices } from './devices.js';
import { DownWriter } from './down.js';
import { Evidence } from './evidence.js';
import type { DeviceFacts, IntakeFacts, LinkFacts } from './facts.js';
import { Gate } from './gate.js';
import { LinkSession } from './link-session.js';
import { Quarantine } from './quarantine.js';
import { Reconsidering } from './reconsidering.js';
import { SdkIntake } from './sdk-intake.js';
import { SdkLink } from './sdk-link.js';
import { SettingsBook } from './settings.js';
import type { Shared } from './shared.js';
import { SilenceWatch } from './silence.js';

/** The journal as the intake needs it. */
export interface DurableJournal extends IntakeJournal {
  readonly positions: ReadonlyMap<string, DevicePosition>;
  /** Readings of the last segment, in order, to know replays by. */
  readonly recentTags: readonly RecentTag[];
  /** Handed to the journal by an earlier run, and not yet durable. */
  readonly recovering: readonly Entry[];
  onDurable(listener: (batch: readonly Entry[]) => void): void;
}

export interface IntakePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly storage: Storage;
  readonly digest: Digest;
}

export interface IntakeOptions {
  /** Absolute paths of the two stores. */
  readonly quarantineDirectory: string;
  readonly evidenceDirectory: string;
  /** Where the versions of settings are kept; absent: devices are told nothing. */
  readonly settingsDirectory?: string;
  /** Settings of sources, by the device's id or name. */
  readonly devices?: ReadonlyMap<string, readonly NamedSourceSettings[]>;
  /** Of those that the gateway gives to sovereign-sdk sensors; 0: from the begin. */
  readonly firstSdkEpoch?: number;
  /** Limits of the quarantine and of the evidence, as in the configuration. */
  readonly maxBytes?: number;
  readonly perReasonBytes?: number;
  readonly perDeviceBytes?: number;
  readonly unauthenticatedPerDayBytes?: number;
  readonly evidenceBytes?: number;
  /** The quarantine writes nothing while the file system has less than this available. */
  readonly reserveBytes?: number;
}

const MiB = 1024 * 1024;
const DEADLINE_MS = 10_000;

export class Intake {
  readonly counters = new Counters();
  /** Takes in as well what others find unfit, such as lines of the journal that the medium has destroyed. */
  readonly quarantine: Quarantine;
  readonly #ports: IntakePorts;
  readonly #keyring: KeyringView;
  readonly #keys: KeyCache;
  readonly #devices = new Devices();
  readonly #evidence: Evidence;
  readonly #shared: Shared;
  readonly #sdk: SdkIntake;
  readonly #reconsidering: Reconsidering;
  readonly #silence: SilenceWatch;
  readonly #links = new Set<LinkSession>();
  readonly #sdkLinks = new Set<SdkLink>();
  readonly #sources: LinkSource[] = [];
  #housekeeping: Timer | undefined;
  #stopped = false;

  private constructor(
    ports: IntakePorts,
    journal: DurableJournal,
    keyring: KeyringView,
    quarantine: Quarantine,
    evidence: Evidence,
    settings: SettingsBook | undefined,
    firstSdkEpoch: number,
  ) {
    this.#ports = ports;
    this.#keyring = keyring;
    this.quarantine = quarantine;
    this.#evidence = evidence;
    const { clock, random, log, digest } = ports;
    this.#keys = new KeyCache(digest);
    const acceptor = new Acceptor(clock, journal, this.#keys, evidence);
    const hellos = globalBudget(clock);
    const readings = globalBudget(clock);
    const seen = (device: Device) => this.#silence.seen(device);
    this.#shared = {
      clock,
      random,
      log,
      digest,
      gate: new Gate(keyring, this.#keys),
      down: new DownWriter(),
      devices: this.#devices,
      acceptor,
      quarantine,
      counters: this.counters,
      settings,
      helloBudget: () => linkBudget(clock, hellos),
      readingBudget: () => linkBudget(clock, readings),
      seen,
    };
    this.#sdk = new SdkIntake({ ...this.#shared, keyring }, firstSdkEpoch);
    this.#reconsidering = new Reconsidering(this.#shared, this.#sdk);
    this.#silence = new SilenceWatch(clock, log, this.#devices, keyring);
    this.#takeUp(journal);
    journal.onDurable(batch => this.#durable(batch));
    this.#keepHouse();
  }

  /** Takes up the journal's positions and the two stores' quotas. @throws Fault `evidence-unusable` */
  static async open(
    ports: IntakePorts,
    journal: DurableJournal,
    keyring: KeyringView,
    options: IntakeOptions,
  ): Promise<Intake> {
    const quarantine = await Quarantine.open(ports, {
      directory: options.quarantineDirectory,
      maxBytes: options.maxBytes ?? 64 * MiB,
      perReasonBytes: options.perReasonBytes ?? 8 * MiB,
      perDeviceBytes: options.perDeviceBytes ?? MiB,
      unauthenticatedPerDayBytes: options.unauthenticatedPerDayBytes ?? MiB,
      reserveBytes: options.reserveBytes ?? 64 * MiB,
    });
    const evidence = await Evidence.open(ports, {
      directory: options.evidenceDirectory,
      maxBytes: options.evidenceBytes ?? 16 * MiB,
    });
    const { settingsDirectory } = options;
    const settings =
      settingsDirectory === undefined
        ? undefined
        : await SettingsBook.open(ports, settingsDirectory, options.devices ?? new Map());
    return new Intake(ports, journal, keyring, quarantine, evidence, settings, options.firstSdkEpoch ?? 0);
  }

  /** Takes in the links of a source that carry frames. `limits` only for those that strangers can open. */
  async listen(source: LinkSource, limits: CrowdLimits = {}): Promise<void> {
    const crowd = new Crowd(this.#ports.clock, this.counters, limits);
    await source.start(link => {
      const session = new LinkSession(
        this.#shared,
        link,
        () => crowd.leave(link),
        ended => {
          if (!ended.isClosed) {
            crowd.enter(link);
            return;
          }
          crowd.leave(link);
          this.#links.delete(ended);
        },
      );
      this.#links.add(session);
      crowd.enter(link);
      session.start();
      return session;
    });
    this.#sources.push(source);
  }

  /** As `listen`, with the limits of a listener on the network. */
  listenTcp(source: LinkSource, maxUnauthenticated: number): Promise<void> {
    return this.listen(source, { maxUnauthenticated, deadlineMs: DEADLINE_MS });
  }

  /** Takes in the links of a source that carry frames of sovereign-sdk sensors. They may be quiet for long. */
  async listenSdk(source: LinkSource, maxUnauthenticated = 128): Promise<void> {
    const crowd = new Crowd(this.#ports.clock, this.counters, { maxUnauthenticated });
    await source.start(link => {
      const session = new SdkLink(
        this.#ports.clock,
        link,
        this.#sdk,
        this.counters,
        () => crowd.leave(link),
        ended => {
          crowd.leave(link);
          this.#sdkLinks.delete(ended);
        },
      );
      this.#sdkLinks.add(session);
      crowd.enter(link);
      return session;
    });
    this.#sources.push(source);
  }

  /** Stops the sources and writes out what the stores still hold. The journal is closed by its owner, afterwards. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#housekeeping?.cancel();
    this.#silence.stop();
    await Promise.all(this.#sources.map(source => source.stop()));
    for (const link of [...this.#sdkLinks]) link.stop();
    await Promise.all([this.quarantine.close(), this.#evidence.close()]);
  }

  /** A round is due every few seconds, whether anything comes in or not. */
  get pulse(): Pulse {
    return { turns: this.#silence.rounds, busy: !this.#stopped };
  }

  /** The last reading of a device that has become durable since the gateway began. */
  lastReading(device: string): ReadingEntry | undefined {
    return this.#devices.get(device)?.last;
  }

  /** Bytes that failed a gate, as if they came in now. */
  get reconsidering(): Reconsidering {
    return this.#reconsidering;
  }

  status(): IntakeFacts {
    const devices: DeviceFacts[] = [];
    const listed = new Set<string>();
    for (const device of this.#devices.all()) {
      devices.push(this.#deviceFacts(device));
      listed.add(device.id);
    }
    for (const { id, name, sdk } of this.#keyring.entries())
      if (!listed.has(id)) devices.push({ id, name, ...(sdk && { sdk: true }), silent: false, counts: {} });
    return {
      links: [...this.#linkFacts()],
      devices,
      counters: this.counters.all(),
      quarantine: this.quarantine.status(),
      evidence: this.#evidence.status(),
    };
  }

  /** What the journal holds from before: the last positions, the tags of late, and what it is still writing again. */
  #takeUp(journal: DurableJournal): void {
    const recent = new Map<string, RecentTag[]>();
    for (const tag of journal.recentTags) {
      const tags = recent.get(tag.device);
      if (tags === undefined) recent.set(tag.device, [tag]);
      else tags.push(tag);
    }
    for (const [id, { epoch, seq, tag8, final }] of journal.positions) {
      const { positions } = this.#devices.of(id);
      positions.restore(recent.get(id) ?? [], { epoch, seq, tag8, final });
      this.#keys.accepted(id, epoch);
    }
    for (const entry of journal.recovering) {
      if (entry.kind !== 'reading') continue;
      const { positions } = this.#devices.of(entry.device);
      if (!positions.isBefore(entry.epoch, entry.seq)) continue;
      positions.appended(entry.epoch, entry.seq, Buffer.from(entry.tag8, 'hex'), 0, entry.final);
      this.#keys.accepted(entry.device, entry.epoch);
    }
  }

  /** Store, then acknowledge: this is called after the journal's `fdatasync`, and nothing else leads to new receipts. */
  #durable(batch: readonly Entry[]): void {
    const touched = new Set<Device>();
    for (const entry of batch) {
      if (entry.kind !== 'reading') continue;
      const device = this.#devices.of(entry.device);
      device.positions.synced(entry.epoch, entry.seq, entry.tag8, entry.offset);
      device.last = entry;
      touched.add(device);
    }
    for (const device of touched) device.speaker?.sendReceipt();
  }

  #keepHouse(): void {
    this.#housekeeping = this.#ports.clock.after(60_000, () => {
      this.#keys.retain(id => this.#keyring.get(id) !== undefined);
      this.#keepHouse();
    });
  }

  #deviceFacts(device: Device): DeviceFacts {
    const { hello, speaker } = device;
    const last = device.positions.durable;
    const { name, sdk } = this.#keyring.get(device.id) ?? {};
    return {
      id: device.id,
      ...(name === undefined ? {} : { name }),
      ...(sdk && { sdk: true }),
      ...(last === undefined ? {} : { epoch: last.epoch, seq: last.seq }),
      ...(device.seenMs < 0 ? {} : { heardAt: device.seenAt }),
      silent: device.silent,
      ...(speaker === undefined ? {} : { link: speaker.linkName }),
      ...(device.clockSet === undefined
        ? {}
        : { clock: device.clockSet ? ('synchronised' as const) : ('unsynchronised' as const) }),
      ...(device.signal === undefined ? {} : { signal: device.signal }),
      ...(hello === undefined
        ? {}
        : {
            ...(device.backlog !== undefined && { backlog: device.backlog }),
            ...(device.losses !== undefined && { losses: device.losses }),
            firmware: hello.firmware,
            restart: hello.restart,
          }),
      ...this.#settingsFacts(device, name),
      counts: { ...device.counts },
    };
  }

  #settingsFacts({ id, settings }: Device, name?: string): Pick<DeviceFacts, 'settings'> {
    if (!this.#shared.settings?.wants(id, name)) return {};
    const version = this.#shared.settings.version(id);
    if (version === undefined || settings === undefined) return {};
    const { supported, acknowledged, fault } = settings;
    return { settings: { version, supported, acknowledged, ...(fault !== '' && { fault }) } };
  }

  *#linkFacts(): Iterable<LinkFacts> {
    for (const { link, decoder, session, openedAt } of this.#links)
      yield {
        name: link.name,
        since: openedAt,
        ...(session === undefined ? {} : { device: session.device.id }),
        frames: decoder.frames,
        noiseBytes: decoder.noiseBytes,
        noiseFrames: decoder.noiseFrames,
        oversized: decoder.oversized,
        pendingBytes: link.pendingBytes,
      };
    for (const { link, lines, oversizedBytes, openedAt } of this.#sdkLinks)
      yield {
        name: link.name,
        since: openedAt,
        frames: lines,
        noiseBytes: oversizedBytes,
        noiseFrames: 0,
        oversized: oversizedBytes > 0 ? 1 : 0,
        pendingBytes: link.pendingBytes,
      };
  }
}
