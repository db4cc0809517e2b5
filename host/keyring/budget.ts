/**
 * Token buckets for key derivations: whoever makes up epochs spends his link's allowance, not the gateway's time.
 */
import type { Clock } from '../ports.js';

export interface DerivationBudget {
  /** Takes `count` derivations, or none and returns false. */
  take(count: number): boolean;
  /** Gives derivations back: what they were spent on proved authentic. */
  give(count: number): void;
}

/** For who verifies his own files: nobody else waits. */
export const unlimited: DerivationBudget = { take: () => true, give: () => {} };

export interface BudgetLimits {
  readonly perSecond: number;
  /** What may be spent at once after a pause. */
  readonly burst: number;
}

/** One epoch that lies as far ahead as allowed costs 4,096 derivations the first time, so a burst must hold that. */
export const LINK_LIMITS: BudgetLimits = { perSecond: 4096, burst: 8192 };
/** About a tenth of one core: a derivation takes some 6 µs on a server. */
export const GLOBAL_LIMITS: BudgetLimits = { perSecond: 16_384, burst: 32_768 };

export class Budget implements DerivationBudget {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limits: BudgetLimits;
  readonly #parent: DerivationBudget;
  #tokens: number;
  #filledAt: number;

  /** @param parent is charged as well, and must agree */
  constructor(clock: Pick<Clock, 'monotonic'>, limits: BudgetLimits, parent: DerivationBudget = unlimited) {
    this.#clock = clock;
    this.#limits = limits;
    this.#parent = parent;
    this.#tokens = limits.burst;
    this.#filledAt = clock.monotonic();
  }

  take(count: number): boolean {
    this.#fill();
    if (count > this.#tokens || !this.#parent.take(count)) return false;
    this.#tokens -= count;
    return true;
  }

  give(count: number): void {
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + count);
    this.#parent.give(count);
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#filledAt) * this.#limits.perSecond) / 1000;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + earned);
    this.#filledAt = now;
  }
}

/** The one that all links share; links get theirs by `linkBudget`. */
export function globalBudget(clock: Pick<Clock, 'monotonic'>): Budget {
  return new Budget(clock, GLOBAL_LIMITS);
}

export function linkBudget(clock: Pick<Clock, 'monotonic'>, global: DerivationBudget): Budget {
  return new Budget(clock, LINK_LIMITS, global);
}
