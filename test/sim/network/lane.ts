/**
 * One direction of a connection: what goes in comes out in order, later. What is sent within one instant travels together
 * and costs one event.
 */
import type { Scheduled } from '../kernel/event-queue.js';
import type { World } from '../kernel/world.js';

interface Train<T> {
  readonly sentMs: number;
  arrivesMs: number;
  readonly items: T[];
}

export class Lane<T> {
  readonly #world: World;
  readonly #latencyMs: () => number;
  readonly #deliver: (item: T) => void;
  /** Under way, the next to arrive first. */
  readonly #trains: Train<T>[] = [];
  #event: Scheduled | undefined;
  #heldUntilMs = 0;
  #closed = false;

  /** @param latencyMs asked for each train */
  constructor(world: World, latencyMs: () => number, deliver: (item: T) => void) {
    this.#world = world;
    this.#latencyMs = latencyMs;
    this.#deliver = deliver;
  }

  /** @param extraMs of delay, for this item and what comes after it */
  send(item: T, extraMs = 0): void {
    if (this.#closed) return;
    const { nowMs } = this.#world;
    const last = this.#trains.at(-1);
    if (last !== undefined && last.sentMs === nowMs && extraMs === 0) {
      last.items.push(item);
      return;
    }
    const arrivesMs = Math.max(nowMs + this.#latencyMs() + extraMs, last?.arrivesMs ?? 0);
    this.#trains.push({ sentMs: nowMs, arrivesMs, items: [item] });
    this.#schedule();
  }

  /** Nothing arrives before this time. */
  hold(untilMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, untilMs);
  }

  /** What is under way never arrives. */
  close(): void {
    this.#closed = true;
    this.#event?.cancel();
    this.#trains.length = 0;
  }

  #schedule(): void {
    if (this.#event !== undefined || this.#trains.length === 0 || this.#closed) return;
    const dueMs = Math.max(this.#trains[0].arrivesMs, this.#heldUntilMs);
    this.#event = this.#world.at(dueMs, () => this.#arrive());
  }

  #arrive(): void {
    this.#event = undefined;
    if (this.#heldUntilMs <= this.#world.nowMs) {
      for (const item of this.#trains.shift()!.items) {
        if (this.#closed) return;
        this.#deliver(item);
      }
    }
    this.#schedule();
  }
}
