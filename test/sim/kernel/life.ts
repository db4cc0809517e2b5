/**
 * One process, from its start to its end. What belongs to a life stops with it: its timers don't fire, its effects neither
 * resolve nor reject, and what its code still does in the turn of its death reaches nobody.
 */
import type { Scheduled } from './event-queue.js';
import type { World } from './world.js';

interface Pending {
  readonly act: () => unknown;
  readonly survives: boolean;
  readonly event: Scheduled;
}

export interface EffectOptions {
  /** The kernel has it in hand: it may still happen when the process is killed meanwhile. */
  readonly survives?: boolean;
}

export class Life {
  readonly world: World;
  readonly name: string;
  /** Effects begun. */
  effects = 0;
  #over = false;
  #killAt = -1;
  #killAfter = false;
  readonly #ends: (() => void)[] = [];
  readonly #pending = new Set<Pending>();

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  get over(): boolean {
    return this.#over;
  }

  onEnd(run: () => void): void {
    this.#ends.push(run);
  }

  after(delayMs: number, run: () => void): Scheduled {
    return this.world.after(delayMs, () => {
      if (!this.#over) run();
    });
  }

  /** Ends the life at the effect that comes `effects` effects from now: before it happens, or when it has. */
  killAt(effects: number, after: boolean): void {
    this.#killAt = this.effects + effects;
    this.#killAfter = after;
  }

  /**
   * Something that is awaited: `act` is done after `latencyMs`, and its result returned. What `act` throws is the
   * rejection.
   */
  effect<T>(name: string, latencyMs: number, act: () => T, options: EffectOptions = {}): Promise<T> {
    if (this.#over) return new Promise<T>(() => undefined);
    const index = this.effects++;
    return new Promise((resolve, reject) => {
      const event = this.world.after(latencyMs, () => {
        this.#pending.delete(pending);
        const last = index === this.#killAt;
        if (last && !this.#killAfter) this.#killed(name);
        if (this.#over) return;
        try {
          const result = act();
          if (last) this.#killed(name);
          else resolve(result);
        } catch (error) {
          if (last) this.#killed(name);
          else reject(error);
        }
      });
      const pending = { act, survives: options.survives ?? false, event };
      this.#pending.add(pending);
    });
  }

  /** SIGKILL, or the power goes. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const chance = this.world.random('killed');
    for (const { act, survives, event } of this.#pending) {
      event.cancel();
      if (!survives || chance.unit() < 0.5) continue;
      try {
        act();
      } catch {
        // The process that would have been told is gone.
      }
    }
    this.#pending.clear();
    for (const run of this.#ends) run();
  }

  #killed(effect: string): void {
    this.world.trace.note(this.name, 'killed at', effect);
    this.end();
  }
}
