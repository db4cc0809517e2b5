/**
 * Journal and cursor alone, on a simulated disk: devices that keep what has no receipt, a reader that publishes, and a
 * machine that dies in every way. What the whole simulation shows of the journal in a second, this shows in a few
 * milliseconds.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import { KeyChain, label, Sealer } from '../../../firmware/seal/index.js';
import { Cursor } from '../../../host/journal/cursor.js';
import type { Damage, Entry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import { nodeDigest } from '../../../host/node/digest.js';
import type { Log } from '../../../host/ports.js';
import { JournalCheck } from '../checks/journal.js';
import type { FaultKind } from '../kernel/fault-kinds.js';
import { Life } from '../kernel/life.js';
import { SimClock, type WallClock } from '../kernel/sim-clock.js';
import { Violation } from '../kernel/violation.js';
import { World } from '../kernel/world.js';
import { Disk } from './disk.js';
import type { DiskStorage } from './disk-storage.js';

export interface JournalRun {
  readonly world: World;
  readonly disk: Disk;
  readonly check: JournalCheck;
  readonly sealed: number;
  readonly lives: number;
  readonly powerCuts: number;
  /** What is wrong; absent: nothing. */
  readonly failure?: unknown;
}

export interface JournalRunOptions {
  readonly trace?: boolean;
  readonly rates?: Readonly<Partial<Record<FaultKind, number>>>;
  readonly readings?: number;
  /** How long there are faults. */
  readonly troubleMs?: number;
  /** The first process ends at this of its effects, before it happens or after. */
  readonly stop?: { readonly effect: number; readonly after: boolean; readonly cut: boolean };
}

const TROUBLE_MS = 20 * 60_000;
const PEACE_MS = 40 * 60_000;

interface Sealed {
  readonly seq: number;
  readonly tag8: string;
  readonly bytes: Buffer;
}

/** Keeps what it has sealed until it is receipted, and sends it again after a while. */
class Source {
  readonly id: string;
  readonly held: Sealed[] = [];
  readonly #sealer: Sealer;
  readonly #value = label('value');
  sealed = 0;

  constructor(index: number) {
    const id = Buffer.alloc(8, index + 1);
    this.id = id.toString('hex');
    this.#sealer = new Sealer(nodeDigest, id);
    this.#sealer.startEpoch(0, new KeyChain(nodeDigest).first(Buffer.alloc(32, index), id));
  }

  seal(uptimeMs: number): void {
    const sealer = this.#sealer;
    const seq = sealer.nextSeq;
    sealer.begin(Math.floor(uptimeMs), -1, 0).number(this.#value, seq);
    const length = sealer.seal();
    const bytes = Buffer.from(sealer.buffer.subarray(sealer.start, sealer.start + length));
    this.held.push({ seq, bytes, tag8: bytes.toString('hex', length - 32, length - 24) });
    this.sealed++;
  }

  receipt(seq: number, tag8: string, each: (reading: Sealed) => void): void {
    const at = this.held.findIndex(reading => reading.seq === seq);
    if (at < 0 || this.held[at].tag8 !== tag8) return;
    for (const reading of this.held.splice(0, at + 1)) each(reading);
  }
}

export async function runJournal(seed: number, options: JournalRunOptions = {}): Promise<JournalRun> {
  const rates = options.rates ?? drawRates(new World({ seed, faults: { rates: {} } }).random('rates'));
  const world = new World({ seed, faults: { rates }, trace: options.trace ?? false });
  const { troubleMs = TROUBLE_MS } = options;
  const machine = new Machine(world, options.readings ?? 300, troubleMs);
  let failure: unknown;
  try {
    machine.begin();
    if (options.stop !== undefined) machine.stopAt(options.stop);
    await world.run(troubleMs);
    world.faults.stop();
    machine.heal();
    await world.run(troubleMs + PEACE_MS, () => machine.done);
    machine.finish();
    await world.run(world.nowMs + 1);
  } catch (error) {
    failure = error;
  }
  const { disk, check, lives, powerCuts, sealed } = machine;
  return { world, disk, check, lives, powerCuts, sealed, ...(failure !== undefined && { failure }) };
}

/** Each kind in some runs only. */
function drawRates(chance: SeededRandom): Partial<Record<FaultKind, number>> {
  const rates: Partial<Record<FaultKind, number>> = {};
  const maybe = (kind: FaultKind, probability: number, from: number, to: number) => {
    if (chance.unit() < probability) rates[kind] = from * (to / from) ** chance.unit();
  };
  maybe('gateway-kill-effect', 0.6, 10, 60);
  maybe('gateway-power-cut', 0.6, 10, 60);
  maybe('gateway-stop', 0.3, 3, 10);
  maybe('disk-eio-sync', 0.3, 0.002, 0.1);
  maybe('disk-eio-write', 0.2, 0.002, 0.05);
  maybe('disk-eio-read', 0.2, 0.002, 0.05);
  maybe('disk-eio-directory', 0.2, 0.002, 0.1);
  maybe('disk-short-write', 0.2, 0.002, 0.05);
  maybe('disk-enospc', 0.2, 0.002, 0.05);
  maybe('disk-emfile', 0.1, 0.002, 0.05);
  maybe('disk-slow', 0.2, 0.002, 0.05);
  maybe('disk-hang', 0.1, 0.0005, 0.005);
  maybe('disk-full', 0.2, 1, 10);
  maybe('disk-outage', 0.2, 1, 10);
  maybe('disk-evict', 0.3, 3, 30);
  maybe('disk-rot', 0.1, 3, 30);
  maybe('disk-bad-page', 0.05, 1, 10);
  return rates;
}

class Machine {
  readonly disk: Disk;
  readonly check: JournalCheck;
  lives = 0;
  powerCuts = 0;
  readonly #world: World;
  readonly #sources: Source[] = [];
  readonly #readings: number;
  readonly #settings: {
    segmentBytes: number;
    maxBatchBytes: number;
    maxPendingBytes: number;
    retainBytes: number;
    window: number;
    burst: number;
  };
  readonly #wall: WallClock = { offsetMs: 0, synchronised: true };
  readonly #chance: SeededRandom;
  #life: Life | undefined;
  #stop: (() => void) | undefined;
  #cutAtEnd = false;
  #healed = false;
  #again = 0;
  #log: Log;

  constructor(world: World, readings: number, troubleMs: number) {
    this.#world = world;
    this.#readings = readings;
    this.#chance = world.derive('machine');
    const chance = world.derive('settings');
    const between = (from: number, to: number) => Math.floor(from * (to / from) ** chance.unit());
    this.#settings = {
      segmentBytes: between(1000, 40_000),
      maxBatchBytes: between(500, 20_000),
      maxPendingBytes: between(1000, 100_000),
      retainBytes: chance.unit() < 0.5 ? 0 : between(2000, 60_000),
      window: between(1, 64),
      burst: between(1, 40),
    };
    this.disk = new Disk(world, { capacityBytes: between(1_000_000, 8_000_000) });
    const sealed = new Set<string>();
    this.check = new JournalCheck(world, this.disk, {
      dataDirectory: '/data',
      limits: { maxBytes: 0, evidenceBytes: 0 },
      ledger: { find: payload => sealed.has(Buffer.from(payload).toString('latin1')) || undefined },
    });
    for (let i = 0; i < 3; i++) this.#sources.push(new Source(i));
    this.#seal(sealed, troubleMs);
    const note = (level: string) => (event: string, fields?: object) => {
      if (world.trace.on) world.trace.note('journal', `${level} ${event}`, JSON.stringify(fields ?? {}));
    };
    this.#log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const { faults } = world;
    faults.arrivals('gateway-kill-effect', details => this.#killSoon(details));
    faults.arrivals('gateway-power-cut', details => {
      this.#cutAtEnd = true;
      this.#killSoon(details);
    });
    faults.arrivals('gateway-stop', () => this.#stop?.());
  }

  get sealed(): number {
    return this.#sources.reduce((sum, source) => sum + source.sealed, 0);
  }

  /** Everything has arrived. */
  get done(): boolean {
    if (this.#sources.some(({ held }) => held.length > 0)) return false;
    for (const held of this.check.readings()) if (!held.published && !held.destroyed) return false;
    return this.sealed >= this.#readings;
  }

  begin(): void {
    const life = new Life(this.#world, 'gateway');
    const storage = this.disk.storage(life);
    this.#life = life;
    this.lives++;
    this.check.begun(life);
    life.onEnd(() => this.#ended(life));
    if (this.#again > 0 && !this.#healed) {
      this.#again--;
      this.#cutAtEnd = this.#chance.unit() < 0.6;
      life.killAt(this.#chance.below(50), this.#chance.unit() < 0.5);
    }
    this.#work(life, storage).catch(error => {
      if (life.over) return;
      if (storage.errors.size === 0) this.#world.fail(error);
      life.end();
    });
  }

  stopAt({ effect, after, cut }: NonNullable<JournalRunOptions['stop']>): void {
    this.#cutAtEnd = cut;
    this.#life!.killAt(effect, after);
  }

  heal(): void {
    this.#healed = true;
    this.#cutAtEnd = false;
    this.#life?.killAt(Number.POSITIVE_INFINITY, false);
    this.disk.heal();
  }

  finish(): void {
    if (!this.done) {
      const waiting = this.#sources.map(({ id, held }) => `${id}: ${held.length} from ${held[0]?.seq}`);
      const unpublished = [...this.check.readings()].filter(held => !held.published && !held.destroyed);
      const detail = `${waiting.join(', ')}; ${unpublished.length} not published, ${unpublished[0]?.key}`;
      throw new Violation('everything arrives once faults have stopped', detail);
    }
    this.check.final();
  }

  async #work(life: Life, storage: DiskStorage): Promise<void> {
    const clock = new SimClock(life, this.#wall);
    const cursor = await Cursor.open(storage, '/data/cursors', 'uplink');
    const { segmentBytes, maxBatchBytes, maxPendingBytes, retainBytes } = this.#settings;
    const journal = await Journal.open(
      { storage, clock, log: this.#log },
      { directory: '/data/journal', segmentBytes, maxBatchBytes, maxPendingBytes, retainBytes },
      [cursor],
    );
    const tentative = new Map<string, number>();
    for (const [id, { seq }] of journal.positions) tentative.set(id, seq);
    for (const entry of journal.recovering)
      if (entry.kind === 'reading')
        tentative.set(entry.device, Math.max(entry.seq, tentative.get(entry.device) ?? -1));
    journal.onDurable(batch => this.#receipts(life, batch));
    this.#stop = () => {
      this.#stop = undefined;
      journal
        .close()
        .then(() => cursor.close())
        .then(
          () => {
            this.check.stopped(storage.errors.size === 0);
            life.end();
          },
          () => life.end(),
        );
    };
    for (const [id, { seq, tag8 }] of journal.positions) this.#receipt(id, seq, tag8);
    this.#send(life, journal, tentative);
    await this.#publish(life, storage, journal, cursor);
  }

  #receipts(life: Life, batch: readonly Entry[]): void {
    if (life.over) return;
    const last = new Map<string, Entry & { kind: 'reading' }>();
    for (const entry of batch) if (entry.kind === 'reading') last.set(entry.device, entry);
    for (const [id, { seq, tag8 }] of last) this.#receipt(id, seq, tag8);
  }

  /** Reaches the device a little later, or never. */
  #receipt(id: string, seq: number, tag8: string): void {
    if (this.#chance.unit() < 0.1) return;
    this.#world.after(this.#chance.unit() * 20, () => {
      const source = this.#sources.find(other => other.id === id)!;
      source.receipt(seq, tag8, reading => this.check.receipted(id, 0, reading.seq, reading.tag8));
    });
  }

  #send(life: Life, journal: Journal, tentative: Map<string, number>): void {
    if (this.#stop !== undefined) {
      for (const { id, held } of this.#sources) {
        for (const { seq, bytes, tag8 } of held.slice(0, this.#settings.window)) {
          if (seq !== (tentative.get(id) ?? -1) + 1) {
            // The position is behind what the device holds: the medium has destroyed it.
            if (seq > (tentative.get(id) ?? -1) + 1 && this.check.damaged) tentative.set(id, seq - 1);
            else continue;
          }
          const at = this.#wall.offsetMs;
          const same = { kind: 'reading', at, link: 'serial:a', device: id, epoch: 0, offset: -1 } as const;
          if (!journal.append({ ...same, seq, bytes, tag8, final: false })) break;
          tentative.set(id, seq);
        }
        const position = journal.positions.get(id);
        if (position !== undefined && held.length > 0 && held[0].seq <= position.seq)
          this.#receipt(id, position.seq, position.tag8);
      }
    }
    life.after(1000 + this.#chance.unit() * 4000, () => this.#send(life, journal, tentative));
  }

  async #publish(life: Life, storage: DiskStorage, journal: Journal, cursor: Cursor): Promise<void> {
    const pause = (ms: number) => new Promise<void>(resolve => life.after(ms, resolve));
    const damages: Damage[] = [];
    const reader = journal.reader(cursor.offset, { damaged: damage => damages.push(damage) });
    for (;;) {
      const entries = await reader.next(16).catch(() => []);
      // An error on reading the cursor may have sent it back behind what is still there.
      if (damages.length > 0 && !this.check.damaged && storage.errors.size === 0)
        throw new Violation(
          'no damage is reported where there is none',
          JSON.stringify({ ...damages[0], copy: undefined }),
        );
      if (this.#stop === undefined) return;
      if (entries.length === 0) {
        await pause(3000);
        continue;
      }
      await pause(10 + this.#chance.unit() * 200);
      for (const entry of entries) if (entry.kind === 'reading') this.check.published(entry.bytes);
      await cursor.save(entries[entries.length - 1].offset + 1).catch(() => undefined);
    }
  }

  #seal(known: Set<string>, troubleMs: number): void {
    const { burst } = this.#settings;
    const eachMs = (0.9 * troubleMs * burst) / this.#readings;
    const next = () => {
      for (let i = 0; i < burst; i++) {
        const source = this.#sources[this.#chance.below(this.#sources.length)];
        source.seal(this.#world.nowMs);
        known.add(source.held[source.held.length - 1].bytes.toString('latin1'));
      }
      if (this.sealed < this.#readings) this.#world.after(2 * eachMs * this.#chance.unit(), next);
    };
    this.#world.after(0, next);
  }

  #killSoon(details: SeededRandom): void {
    this.#again = details.below(4);
    this.#life?.killAt(details.below(1 << details.below(7)), details.unit() < 0.5);
  }

  #ended(life: Life): void {
    if (this.#life !== life) return;
    this.#life = undefined;
    this.#stop = undefined;
    this.#world.trace.note('gateway', this.#cutAtEnd ? 'loses power' : 'ends');
    if (this.#cutAtEnd) {
      this.#cutAtEnd = false;
      this.powerCuts++;
      this.disk.powerCut();
    }
    this.#world.after(1000 + this.#chance.unit() * 4000, () => this.begin());
  }
}
