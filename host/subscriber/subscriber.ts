/**
 * Opens what comes from the broker: each message is verified, printed if it is a reading that was not had before, made
 * durable as had, and only then acknowledged (`Inbox`).
 */
import type { Digest } from '../../firmware/seal/index.js';
import { hexOf } from '../hex.js';
import { payloadsOf } from '../journal/payload-sequence.js';
import { Budget, GLOBAL_LIMITS } from '../keyring/budget.js';
import type { KeyringView } from '../keyring/entry.js';
import type { Broker, BrokerOptions, Clock, Log, Random, Storage } from '../ports.js';
import { compare, decodeFetched, type Place } from '../uplink/fetch/format.js';
import { decodeStatus } from '../uplink/status.js';
import { fetchTopic, parseTopic } from '../uplink/topics.js';
import { Feed } from './feed.js';
import type { Gap } from './history.js';
import { Inbox, type InboxHandler, type Message } from './inbox.js';
import { Memory } from './memory.js';
import { type OpenedReading, Opener } from './open.js';
import { RecentTags } from './recent-tags.js';
import { Repair } from './repair/repair.js';
import type { GapStage, Report } from './report.js';
import { StateFile } from './state-file.js';

/** Where readings and reports go. */
export interface SubscriberSink {
  /** @param sha256 of the message's bytes, hex */
  reading(reading: OpenedReading, sha256: string): void;
  report(report: Report): void;
  /** Resolves when the readings so far are out of our hands. @throws Fault when nobody reads them any more */
  flush(): Promise<void>;
}

export interface SubscriberPorts {
  readonly broker: Broker;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly digest: Digest;
  readonly keyring: KeyringView;
  readonly sink: SubscriberSink;
}

export interface SubscriberOptions {
  /** Its client id is the subscriber's identity. */
  readonly broker: Omit<BrokerOptions, 'cleanStart' | 'will'>;
  readonly stateDirectory: string;
  /** `run` ends after so many readings; 0: never. */
  readonly readings: number;
  /**
   * `start` (default): what the journals hold from before the first reading of a device is asked for; `now`: only what
   * comes, and what was missed since.
   */
  readonly from?: 'start' | 'now';
  readonly maxHeld?: number;
  readonly maxHeldBytes?: number;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
}

const RECENT_TAGS = 16_384;
const MAX_HELD = 1000;
const MAX_HELD_BYTES = 1024 * 1024;
const MAX_SITE_CHARS = 128;

export class Subscriber {
  readonly #ports: SubscriberPorts;
  readonly #options: SubscriberOptions;
  readonly #opener: Opener;
  readonly #memory: Memory;
  readonly #repair: Repair;
  readonly #recent = new RecentTags(RECENT_TAGS);
  readonly #siteOf = new Map<string, string>();
  readonly #hash = Buffer.alloc(32);
  readonly #feed: Feed;
  #state: StateFile | undefined;
  readonly #inbox: Inbox;
  #keyringChanged = false;
  #settlingDue = false;
  #printed = 0;
  #finish: (() => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #stopped = false;
  #loaded = false;

  private constructor(ports: SubscriberPorts, options: SubscriberOptions) {
    this.#ports = ports;
    this.#options = options;
    // Whoever may publish can make up epochs: what that costs must not stop the others.
    const budget = new Budget(ports.clock, GLOBAL_LIMITS);
    this.#opener = new Opener(ports.keyring, ports.digest, budget);
    const limits = {
      maxCount: options.maxHeld ?? MAX_HELD,
      maxBytes: options.maxHeldBytes ?? MAX_HELD_BYTES,
    };
    this.#memory = new Memory(
      limits,
      (event, gap) => {
        if (gap.quiet === undefined || event === 'forgotten') this.#gap(STAGES[event], gap);
      },
      device => this.#firstPlace(device),
    );
    this.#repair = new Repair(
      ports,
      options.broker.clientId,
      { devices: () => this.#devices(), placeAfter: device => this.#placeAfter(device) },
      {
        ask: (site, gateway, payload, refused) =>
          this.#feed.publish(fetchTopic(site, gateway), payload, refused),
        handover: ({ site, name, replacedBy = '', speaks }) =>
          this.#ports.sink.report({ kind: 'handover', site, gateway: replacedBy, from: name, speaks }),
        due: () => {
          this.#settlingDue = true;
          this.#inbox.work();
        },
      },
    );
    this.#feed = new Feed(
      ports,
      options.broker,
      {
        message: (topic, payload) => this.#inbox.add(topic, payload),
        online: broker => {
          this.#connection(true, `connected to ${broker}`, '');
          this.#repair.connection(true);
        },
        offline: (fault, news) => {
          this.#repair.connection(false);
          if (news) this.#connection(false, fault.message, fault.remedy);
        },
      },
      { minMs: options.minBackoffMs ?? 500, maxMs: options.maxBackoffMs ?? 30_000 },
    );
    this.#inbox = new Inbox(this.#handler(), ports.log);
  }

  /** Loads the state. @throws Fault `state-unusable` */
  static async open(ports: SubscriberPorts, options: SubscriberOptions): Promise<Subscriber> {
    const subscriber = new Subscriber(ports, options);
    subscriber.#state = await StateFile.open(ports, options.stateDirectory, subscriber.#memory);
    for (const [device, epoch] of subscriber.#memory.history.tops())
      subscriber.#opener.accepted(device, epoch);
    subscriber.#memory.history.changed();
    for (const { device } of subscriber.#memory.history.gaps()) subscriber.#watch(device);
    // Envelopes of devices that were added to the keyring meanwhile.
    subscriber.#keyringChanged = subscriber.#memory.held.size > 0;
    subscriber.#loaded = true;
    return subscriber;
  }

  /** Readings printed. */
  get printed(): number {
    return this.#printed;
  }

  /** Resolves after the wanted number of readings or `close`; rejects when the output can't be written. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    this.#inbox.work();
    if (!this.#stopped) this.#feed.start();
    try {
      await finished;
    } finally {
      this.#stop();
      this.#repair.close();
      await this.#feed.close();
      await this.#inbox.idle();
      await this.#state?.close();
    }
  }

  /** Ends `run` after the batch at hand. */
  close(): void {
    this.#stop();
    this.#finish?.();
  }

  /** The keyring has other devices than before: held envelopes are looked at again, and what gateways hold is asked for. */
  keyringChanged(): void {
    this.#keyringChanged = true;
    this.#repair.devicesChanged();
    this.#inbox.work();
  }

  #stop(): void {
    this.#stopped = true;
    this.#inbox.stop();
  }

  #handler(): InboxHandler {
    const subscriber = this;
    return {
      get due() {
        return subscriber.#keyringChanged || subscriber.#settlingDue;
      },
      open: batch => this.#open(batch),
      flush: () => this.#ports.sink.flush(),
      commit: () => {
        for (const line of this.#memory.drain()) this.#state!.append(line);
        return this.#state!.commit();
      },
      acknowledged: () => {
        if (!this.#enough) return;
        this.#stop();
        // After the PUBACKs, which are written at the end of this turn.
        this.#ports.clock.after(0, () => this.#finish?.());
      },
      failed: error => {
        this.#stop();
        this.#fail?.(error);
      },
    };
  }

  get #enough(): boolean {
    return this.#options.readings > 0 && this.#printed >= this.#options.readings;
  }

  /** @returns how many messages were handled: not all when enough readings were printed */
  #open(batch: readonly Message[]): number {
    if (this.#keyringChanged) {
      this.#keyringChanged = false;
      this.#release();
    }
    let done = 0;
    for (; done < batch.length && !this.#enough; done++) {
      const { topic, payload } = batch[done];
      const parsed = parseTopic(topic);
      if (parsed?.kind === 'sealed') this.#sealed(payload, topic, parsed.site.slice(0, MAX_SITE_CHARS));
      else if (parsed?.kind === 'batch') {
        if (!this.#many(payload, topic, parsed.site.slice(0, MAX_SITE_CHARS))) break;
      } else if (parsed?.kind === 'status') this.#status(payload, parsed.site, parsed.gateway);
      else if (parsed?.kind === 'fetched') this.#fetched(payload, parsed.site, parsed.gateway);
    }
    this.#watchChanged();
    this.#settlingDue = false;
    this.#settle();
    return done;
  }

  /** @returns false when enough readings were printed before its end: then it is to come again */
  #many(bytes: Uint8Array, topic: string, site: string): boolean {
    for (const item of payloadsOf(bytes)) {
      if (this.#enough) return false;
      if (typeof item === 'string') this.#ports.sink.report({ kind: 'refused', reason: 'batch-form', topic });
      else this.#sealed(item, topic, site);
    }
    return true;
  }

  #sealed(bytes: Uint8Array, topic: string, site: string): void {
    const opened = this.#opener.open(bytes);
    if (opened.ok) {
      // What came before the keyring knew the device goes first.
      if (this.#memory.held.has(opened.device)) this.#release(opened.device);
      if (!this.#enough) this.#take(opened, bytes, site);
      return;
    }
    const { reason, device } = opened;
    // Its key was too dear just now: when it is authentic, the gateway still has it.
    if (reason === 'budget' && device !== undefined) this.#repair.missed(device);
    if (reason === 'unknown-device' && device !== undefined) this.#hold(device, bytes, site);
    else this.#ports.sink.report({ kind: 'refused', reason, topic, ...(device !== undefined && { device }) });
  }

  #take(reading: OpenedReading, bytes: Uint8Array, site: string): void {
    const { device, epoch, seq, tag8, prev8 } = reading;
    const before = this.#memory.history.topOf(device);
    const taken = this.#memory.take(reading);
    const place: Place = [epoch, seq];
    const further = before === undefined || compare(place, [before.epoch, before.seq]) > 0;
    // A copy of one that was had says nothing of where its device is: anybody may have sent it.
    if (taken === 'new' && further && this.#siteOf.get(device) !== site) this.#siteOf.set(device, site);
    this.#repair.heard(device, site, further);
    if (before === undefined) this.#memory.missBefore(device);
    if (taken === 'stale') {
      this.#ports.sink.report({ kind: 'stale', device, epoch, seq });
      return;
    }
    const known = this.#recent.get(device, epoch, seq);
    const previous = prev8 === '' || seq === 0 ? undefined : this.#recent.get(device, epoch, seq - 1);
    if ((known !== undefined && known !== tag8) || (previous !== undefined && previous !== prev8)) {
      this.#ports.sink.report({ kind: 'fork', device, epoch, seq });
    }
    if (taken === 'seen') return;
    this.#recent.set(device, epoch, seq, tag8);
    this.#opener.accepted(device, epoch);
    this.#ports.digest.sha256(bytes, 0, bytes.length, this.#hash, 0);
    this.#ports.sink.reading(reading, hexOf(this.#hash));
    this.#printed++;
  }

  #hold(device: string, bytes: Uint8Array, site: string): void {
    const { held } = this.#memory;
    if (!held.has(device)) this.#ports.sink.report({ kind: 'unknown-device', device });
    else if (held.includes(device, bytes)) return; // the broker sent it again
    const dropped = this.#memory.hold(device, site, bytes);
    if (dropped > 0) this.#ports.sink.report({ kind: 'held-dropped', count: dropped });
  }

  /** Opens held envelopes whose device the keyring has by now. */
  #release(device?: string): void {
    for (const held of this.#memory.held.list(device)) {
      if (this.#enough) return;
      const opened = this.#opener.open(held.bytes);
      if (!opened.ok && opened.reason === 'unknown-device') continue;
      this.#memory.release(held.number);
      if (opened.ok) this.#take(opened, held.bytes, held.site);
      else {
        const { reason } = opened;
        this.#ports.sink.report({ kind: 'refused', reason, topic: '(held)', device: held.device });
      }
    }
  }

  #status(payload: Uint8Array, site: string, gateway: string): void {
    const status = decodeStatus(payload);
    if (status === undefined || status.site !== site || status.gateway !== gateway) return;
    this.#watchChanged();
    this.#repair.status(status);
    this.#settle();
  }

  #fetched(payload: Uint8Array, site: string, gateway: string): void {
    const fetched = decodeFetched(payload);
    if (fetched === undefined || fetched.site !== site || fetched.gateway !== gateway) return;
    this.#watchChanged();
    this.#repair.fetched(site, gateway, fetched);
    this.#settle();
  }

  /** Gives up what is lost. */
  #settle(): void {
    for (const { gap, reasons } of this.#repair.finals()) {
      this.#memory.giveUp(gap);
      // That nothing came before the first reading is no loss.
      const told = gap.quiet !== 'start' || reasons.some(reason => /^(lost|removed)/.test(reason));
      if (told) this.#gap('final', gap, reasons);
    }
  }

  #watchChanged(): void {
    for (const device of this.#memory.history.changed()) this.#watch(device);
  }

  #watch(device: string): void {
    this.#repair.keep(device, this.#memory.history.gapsOf(device), this.#siteOf.get(device));
  }

  *#devices(): Iterable<readonly [string, string | undefined]> {
    for (const { id } of this.#ports.keyring.entries()) yield [id, this.#siteOf.get(id)];
  }

  #placeAfter(device: string): Place | undefined {
    const top = this.#memory.history.topOf(device);
    if (top !== undefined) return top.final ? [top.epoch + 1, 0] : [top.epoch, top.seq + 1];
    return this.#firstPlace(device);
  }

  /** The first reading that is wanted: the first that the keyring can verify; undefined: whatever comes first. */
  #firstPlace(device: string): Place | undefined {
    const entry = this.#options.from === 'now' ? undefined : this.#ports.keyring.get(device);
    return entry && [entry.sdk === undefined ? entry.epoch : 0, 0];
  }

  #gap(stage: GapStage, gap: Gap, reasons: readonly string[] = []): void {
    // While the state is loaded, what it tells was told before.
    if (this.#loaded) this.#ports.sink.report({ kind: 'gap', stage, gap, reasons });
  }

  #connection(online: boolean, text: string, remedy: string): void {
    this.#ports.sink.report({ kind: 'connection', online, text, remedy });
  }
}

const STAGES = { noticed: 'provisional', closed: 'closed', forgotten: 'forgotten' } as const;
