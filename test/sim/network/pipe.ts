/**
 * Bytes in one direction of a link: in pieces of any size, late, slowly, and with everything that lines and networks do to
 * them. What is sent within one instant travels together.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Scheduled } from '../kernel/event-queue.js';
import type { World } from '../kernel/world.js';

export interface PipeOptions {
  /** For the trace. */
  readonly name: string;
  readonly latencyMs: readonly [least: number, most: number];
  readonly bytesPerMs: number;
  /** A line without a protocol below: what is lost is lost. TCP mends most. */
  readonly raw: boolean;
  /** What the receiver's side takes while nobody reads. */
  readonly windowBytes: number;
}

export interface PipeEvents {
  deliver(bytes: Uint8Array): void;
  /** There may be more room than before. */
  moved(): void;
  /** A fault closes the connection here. */
  cut(): void;
  tap(bytes: Uint8Array): void;
}

interface Train {
  readonly sentMs: number;
  readonly arrivesMs: number;
  readonly parts: Uint8Array[];
  bytes: number;
  overtaken: boolean;
}

/** TCP loses, alters and reorders what it was given so much more rarely than a wire. */
const TCP_WEIGHT = 0.2;

export class Pipe {
  readonly #world: World;
  readonly #options: PipeOptions;
  readonly #events: PipeEvents;
  readonly #chance: SeededRandom;
  readonly #trains: Train[] = [];
  /** Arrived while the reader has paused. */
  #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #underWayBytes = 0;
  #busyUntilMs = 0;
  #heldUntilMs = 0;
  #event: Scheduled | undefined;
  #paused = false;
  #closed = false;

  constructor(world: World, options: PipeOptions, events: PipeEvents) {
    this.#world = world;
    this.#options = options;
    this.#events = events;
    this.#chance = world.random('link');
  }

  /** Bytes that the receiver's side has not taken yet. */
  get pendingBytes(): number {
    return this.#underWayBytes + Math.max(0, this.#arrivedBytes - this.#options.windowBytes);
  }

  /** Copies. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#underWayBytes += bytes.length;
    if (this.#closed) return;
    const { nowMs } = this.#world;
    const { latencyMs, bytesPerMs, name } = this.#options;
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + bytes.length / bytesPerMs;
    const last = this.#trains.at(-1);
    if (last !== undefined && last.sentMs === nowMs) {
      last.parts.push(Uint8Array.from(bytes));
      last.bytes += bytes.length;
      return;
    }
    const late = this.#world.faults.hit('link-delay', name);
    const extraMs = late === undefined ? 0 : 10 ** (1.5 + 3.3 * late.unit());
    const wayMs = latencyMs[0] + (latencyMs[1] - latencyMs[0]) * this.#chance.unit() ** 2;
    const arrivesMs = Math.max(this.#busyUntilMs + wayMs + extraMs, last?.arrivesMs ?? 0);
    this.#trains.push({
      sentMs: nowMs,
      arrivesMs,
      parts: [Uint8Array.from(bytes)],
      bytes: bytes.length,
      overtaken: false,
    });
    this.#schedule();
  }

  hold(untilMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, untilMs);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#world.after(0, () => {
      const waiting = this.#arrived;
      this.#arrived = [];
      this.#arrivedBytes = 0;
      for (const bytes of waiting) this.#hand(bytes);
      if (!this.#closed) this.#events.moved();
    });
  }

  /** What is under way is lost. */
  clear(): void {
    this.#event?.cancel();
    this.#event = undefined;
    this.#trains.length = 0;
    this.#arrived = [];
    this.#underWayBytes = this.#arrivedBytes = 0;
    this.#busyUntilMs = 0;
  }

  /** Nobody is at its end any more: bytes go in and stay. */
  stop(): void {
    this.#closed = true;
    this.#event?.cancel();
    this.#event = undefined;
  }

  #schedule(): void {
    if (this.#event !== undefined || this.#trains.length === 0 || this.#closed) return;
    const dueMs = Math.max(this.#trains[0].arrivesMs, this.#heldUntilMs);
    this.#event = this.#world.at(dueMs, () => this.#arrive());
  }

  #arrive(): void {
    this.#event = undefined;
    if (this.#heldUntilMs <= this.#world.nowMs) {
      const train = this.#next();
      this.#underWayBytes -= train.bytes;
      const bytes = train.parts.length === 1 ? train.parts[0] : joined(train);
      this.#events.tap(bytes);
      this.#suffer(bytes);
      if (!this.#closed) this.#events.moved();
    }
    this.#schedule();
  }

  #next(): Train {
    const trains = this.#trains;
    const { faults } = this.#world;
    if (
      trains.length > 1 &&
      !trains[0].overtaken &&
      faults.hit('link-reorder', this.#options.name, this.#weight)
    ) {
      trains[0].overtaken = true;
      return trains.splice(1, 1)[0];
    }
    return trains.shift()!;
  }

  get #weight(): number {
    return this.#options.raw ? 1 : TCP_WEIGHT;
  }

  /** What may happen to a chunk on its way. */
  #suffer(bytes: Uint8Array): void {
    const { faults } = this.#world;
    const { name } = this.#options;
    const weight = this.#weight;
    let details = faults.hit('link-drop', name, weight);
    if (details !== undefined) {
      if (details.unit() < 0.5) return;
      const from = details.below(bytes.length);
      const to = from + 1 + details.below(bytes.length - from);
      bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
      if (bytes.length === 0) return;
    }
    details = faults.hit('link-corrupt', name, weight);
    if (details !== undefined) {
      bytes = Uint8Array.from(bytes);
      for (let count = 1 + details.below(4); count > 0; count--)
        bytes[details.below(bytes.length)] ^= 1 << details.below(8);
    }
    details = faults.hit('link-garbage', name, weight);
    if (details !== undefined) this.#hand(garbage(details));
    details = faults.hit('link-cut', name, weight);
    if (details !== undefined) {
      this.#hand(bytes.subarray(0, details.below(bytes.length)));
      this.#events.cut();
      return;
    }
    details = faults.hit('link-split', name);
    for (let from = 0; from < bytes.length; ) {
      const length = details === undefined ? bytes.length : 1 + details.below(bytes.length - from);
      this.#hand(bytes.subarray(from, from + length));
      from += length;
    }
    if (faults.hit('link-duplicate', name, weight)) this.#hand(bytes);
  }

  #hand(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    if (this.#paused) {
      this.#arrived.push(bytes);
      this.#arrivedBytes += bytes.length;
    } else this.#events.deliver(bytes);
  }
}

const BOOT_LOG =
  'ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n';

function garbage(details: SeededRandom): Uint8Array {
  if (details.unit() < 0.5)
    return Buffer.from(BOOT_LOG.slice(0, 1 + details.below(BOOT_LOG.length)), 'latin1');
  const noise = new Uint8Array(1 + details.below(details.unit() < 0.1 ? 6000 : 60));
  details.fill(noise);
  return noise;
}

function joined({ parts, bytes }: Train): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
