/**
 * A machine that runs the real subscriber over simulated ports: killed at any awaited effect, without power, stopped and
 * started again, away for long, with a keyring that learns of a device late, and without its state.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Digest } from '../../../firmware/seal/index.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import type { Broker, BrokerHandler, Log, LogFields } from '../../../host/ports.js';
import { MAX_BATCH, MAX_BATCH_BYTES } from '../../../host/subscriber/inbox.js';
import { Subscriber, type SubscriberSink } from '../../../host/subscriber/subscriber.js';
import { Payloads } from '../checks/payloads.js';
import type { SubscriberCheck } from '../checks/subscriber.js';
import { readState } from '../checks/subscriber-state.js';
import type { Disk } from '../disk/disk.js';
import type { Scheduled } from '../kernel/event-queue.js';
import { Life } from '../kernel/life.js';
import { SimClock, type WallClock } from '../kernel/sim-clock.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { SimBroker } from '../network/sim-broker.js';
import { SimKeyring } from './sim-keyring.js';

export interface SubscriberMachineOptions {
  /** Also its client id. */
  readonly name: string;
  readonly broker: SimBroker;
  /** Its own. */
  readonly disk: Disk;
  /** Copied: devices are taken out of the copy for a while. */
  readonly keyring: SimKeyring;
  readonly digest: Digest;
  /** `visitor`: comes and goes. `forgetful`: loses its state now and then. */
  readonly habit: 'steady' | 'visitor' | 'forgetful';
  readonly check: SubscriberCheck;
  readonly protocol?: '5' | '3.1.1';
}

/** A message that the subscriber has. */
interface Handed {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The number of the batch that it was handled in; -1: not yet. */
  batch: number;
}

const MINUTE_MS = 60_000;
/** Awaited effects among which a planned kill falls. */
const KILL_WITHIN_EFFECTS = 40;
const STOP_TIMEOUT_MS = 30_000;
/** With a state that can't be used so often in a row, somebody gives it another directory. */
const MAX_UNUSABLE = 4;

export class SubscriberMachine {
  readonly name: string;
  readonly check: SubscriberCheck;
  readonly wall: WallClock = { offsetMs: 0, synchronised: true };
  /** Counts of what it logged, by event. */
  readonly logged = new Map<string, number>();
  lives = 0;
  kills = 0;
  /** How often it began without its state. */
  wipes = 0;
  readonly #world: World;
  readonly #options: SubscriberMachineOptions;
  readonly #chance: SeededRandom;
  readonly #maxHeld: number;
  readonly #keyring: SimKeyring;
  readonly #payloads = new Payloads();
  /** Entries that the keyring lacks for now. */
  readonly #late = new Map<string, KeyringEntry>();
  #life: Life | undefined;
  #subscriber: Subscriber | undefined;
  /** Handed over, and in no batch yet. */
  #unbatched: Handed[] = [];
  #boot: Scheduled | undefined;
  #unusable = 0;
  #settled = false;

  constructor(world: World, options: SubscriberMachineOptions) {
    this.name = options.name;
    this.check = options.check;
    this.#world = world;
    this.#options = options;
    this.#chance = world.derive(options.name);
    this.#keyring = new SimKeyring(options.keyring.entries());
    options.check.statusForged ||= world.faults.has('attack-broker-forge');
    this.#maxHeld = 5 + this.#chance.below(200);
  }

  get running(): boolean {
    return this.#subscriber !== undefined;
  }

  start(): void {
    const { faults } = this.#world;
    this.#watchState();
    for (const entry of [...this.#keyring.entries()]) {
      const details = faults.hit('subscriber-keyring-late', `${this.name} ${entry.id}`);
      if (details !== undefined) this.#learnLate(entry, details);
    }
    faults.arrivals('subscriber-kill', () => this.#kill('killed'));
    faults.arrivals('subscriber-kill-effect', details => {
      this.#life?.killAt(details.below(KILL_WITHIN_EFFECTS), details.unit() < 0.5);
    });
    faults.arrivals('subscriber-power-cut', () => {
      this.#kill('without power');
      this.#options.disk.powerCut();
    });
    faults.arrivals('subscriber-away', details => this.#leave(10 ** (3.5 + 3 * details.unit())));
    faults.arrivals('subscriber-forget', details => this.#forget(details.unit() < 0.5));
    this.#world.after(this.#chance.unit() * 5000, () => this.#start());
    this.#live();
  }

  keyringChanged(): void {
    this.#subscriber?.keyringChanged();
  }

  /** The faults are over: it comes back, knows all devices, and stays. */
  settle(): void {
    this.#settled = true;
    this.#options.disk.heal();
    for (const entry of this.#late.values()) this.#keyring.add(entry);
    this.#late.clear();
    this.keyringChanged();
    if (this.#life === undefined) this.#startIn(1000);
  }

  /** What it does by itself. */
  #live(): void {
    const { habit } = this.#options;
    if (habit === 'steady') return;
    this.#world.after((5 + 60 * this.#chance.unit()) * MINUTE_MS, () => {
      if (this.#settled) return;
      if (habit === 'visitor') this.#leave((1 + 60 * this.#chance.unit()) * MINUTE_MS);
      else this.#forget(this.#chance.unit() < 0.5);
      this.#live();
    });
  }

  #startIn(ms: number): void {
    this.#boot?.cancel();
    this.#boot = this.#world.after(ms, () => this.#start());
  }

  #start(): void {
    this.#boot = undefined;
    if (this.#life !== undefined) return;
    const life = new Life(this.#world, this.name);
    this.#life = life;
    this.lives++;
    this.#unbatched = [];
    life.onEnd(() => {
      if (this.#life !== life) return;
      this.#life = undefined;
      this.#subscriber = undefined;
      this.#startIn((1000 + 4000 * this.#chance.unit()) * 2 ** Math.min(this.#unusable, 5));
    });
    this.#world.trace.note(this.name, 'starts');
    const { disk } = this.#options;
    this.#run(life).then(
      () => life.end(),
      error => {
        if (life.over) return;
        this.#world.trace.note(this.name, 'ends', String(error));
        if ((error as { code?: unknown }).code !== 'state-unusable') {
          this.#world.fail(error);
          return;
        }
        life.end();
        if (++this.#unusable >= MAX_UNUSABLE && !disk.refuses) this.#forget(true);
      },
    );
  }

  async #run(life: Life): Promise<void> {
    const { broker, disk, digest, protocol = '5' } = this.#options;
    const directory = this.#directory;
    const subscriber = await Subscriber.open(
      {
        broker: this.#watched(broker.port(life)),
        storage: disk.storage(life),
        clock: new SimClock(life, this.wall),
        random: this.#world.random(`${this.name} random`),
        log: this.#log(life),
        digest,
        keyring: this.#keyring,
        sink: this.#sink(life),
      },
      {
        broker: {
          url: 'mqtt://192.0.2.1',
          clientId: this.name,
          protocol,
          keepAliveSeconds: 60,
          connectTimeoutMs: 30_000,
        },
        stateDirectory: directory,
        readings: 0,
        maxHeld: this.#maxHeld,
      },
    );
    this.#unusable = 0;
    if (!this.#compareState(directory)) return; // and is started again
    this.#subscriber = subscriber;
    await subscriber.run();
  }

  get #directory(): string {
    return `/state-${this.wipes}`;
  }

  /**
   * The state file has just been written anew, as a snapshot of what was restored.
   * @returns false: a part of it has rotted since, so nobody can tell what the process remembers
   */
  #compareState(path: string): boolean {
    const directory = this.#options.disk.find(path);
    const names = directory?.kind === 'directory' ? [...directory.entries.keys()] : [];
    const name = names
      .filter(other => other.endsWith('.jsonl'))
      .sort()
      .at(-1);
    const file = name === undefined ? undefined : this.#options.disk.find(`${path}/${name}`);
    if (file?.kind !== 'file') return true;
    if (file.destroyed.length > 0) return false;
    const state = readState(file.visible.toString());
    if (state.held > this.#maxHeld)
      this.#world.fail(new Violation('held envelopes are bounded', `${this.name} holds ${state.held}`));
    this.check.restored(state);
    return true;
  }

  #sink(life: Life): SubscriberSink {
    return {
      reading: (reading, sha256) => {
        if (!life.over) this.check.reading(reading, sha256);
      },
      report: report => {
        if (!life.over) this.check.report(report);
      },
      flush: () => {
        if (life.over) return new Promise(() => {});
        const messages = this.#unbatched.splice(0, batchSize(this.#unbatched));
        const batch = this.#opened(messages);
        for (const message of messages) message.batch = batch;
        return life.effect('sink flush', this.#chance.unit() ** 4 * 20, () => undefined);
      },
    };
  }

  /** Learns from acknowledgements what is durable. */
  #watched(broker: Broker): Broker {
    return {
      connect: (options, handler) => {
        const watched: BrokerHandler = {
          ...handler,
          message: (topic, payload, ...rest) => {
            const message: Handed = { topic, payload, batch: -1 };
            this.#unbatched.push(message);
            const handled = handler.message(topic, payload, ...rest);
            return handled.then(() => {
              if (message.batch >= 0) this.check.durable(message.batch);
            });
          },
          closed: reason => handler.closed(reason),
        };
        return broker.connect(options, watched);
      },
    };
  }

  /** What was handed over has been opened: each is printed, held, or reported as a forgery. */
  #opened(messages: readonly Handed[]): number {
    const { forged } = this.#options.broker;
    let yes = 0;
    let perhaps = 0;
    for (const { topic, payload } of messages) {
      const claims = this.#payloads.of(topic, payload);
      const madeUp = forged.get(payload);
      claims.forEach((claim, i) => {
        const device = madeUp?.[i];
        if (device !== undefined) {
          // In the name of a sovereign-sdk sensor there are no envelopes.
          if (device === '' || this.#knows(device)) yes++;
          else perhaps++;
        } else if (claim !== undefined && this.#knows(claim.device))
          this.check.opened(claim.device, claim.at);
      });
    }
    return this.check.batch(yes, perhaps);
  }

  /** The keyring has a key for its envelopes. */
  #knows(device: string): boolean {
    return (this.#keyring.get(device)?.chain.length ?? 0) > 0;
  }

  #learnLate(entry: KeyringEntry, details: SeededRandom): void {
    this.#keyring.remove(entry.id);
    this.#late.set(entry.id, entry);
    this.#world.after(10 ** (4 + 3 * details.unit()), () => {
      if (!this.#late.delete(entry.id)) return;
      this.#keyring.add(entry);
      this.#world.trace.note(this.name, 'learns of', entry.id);
      if (details.unit() < 0.7) this.keyringChanged();
      else this.#kill('restarted for its keyring');
    });
  }

  #kill(why: string): void {
    if (this.#life === undefined) return;
    this.kills++;
    this.#world.trace.note(this.name, why);
    this.#life.end();
  }

  /** SIGTERM, and back after a while. */
  #leave(forMs: number): void {
    const life = this.#life;
    const subscriber = this.#subscriber;
    if (life === undefined || subscriber === undefined) return;
    this.#world.trace.note(this.name, 'leaves', `for ${Math.round(forMs / 1000)} s`);
    subscriber.close();
    life.onEnd(() => this.#startIn(this.#settled ? 1000 : forMs));
    // Who does not go in time is made to.
    life.after(STOP_TIMEOUT_MS, () => life.end());
  }

  /** Its state is lost; it goes on with an empty one. @param killed with the process */
  #forget(killed: boolean): void {
    this.#world.trace.note(this.name, 'loses its state');
    if (killed) this.#life?.end();
    else if (this.#life !== undefined) {
      this.#life.onEnd(() => this.#wipe());
      this.#leave(MINUTE_MS);
      return;
    }
    this.#wipe();
    if (this.#boot === undefined) this.#startIn(1000);
  }

  #wipe(): void {
    this.wipes++;
    this.#unusable = 0;
    this.check.forgotten();
    this.#watchState();
  }

  #watchState(): void {
    const generation = this.wipes;
    this.#options.disk.watch(this.#directory, {
      destroyed: () => {
        if (generation === this.wipes) this.check.damaged();
      },
    });
  }

  #log(life: Life): Log {
    const note = (event: string, fields?: LogFields) => {
      if (life.over) return;
      this.logged.set(event, (this.logged.get(event) ?? 0) + 1);
      if (this.#world.trace.on) this.#world.trace.note(this.name, event, JSON.stringify(fields ?? {}));
    };
    return { debug: () => {}, info: note, warn: note, error: note };
  }
}

/** How many of the messages that wait the subscriber takes as one batch. */
function batchSize(messages: readonly Handed[]): number {
  let count = 0;
  let bytes = 0;
  for (const { payload } of messages) {
    bytes += payload.length;
    if (count === MAX_BATCH || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
    count++;
  }
  return count;
}
