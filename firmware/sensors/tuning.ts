import type { SourceSettings } from './source.js';

/** Settings lie within these, wherever they come from. */
export const TUNING_BOUNDS = Object.freeze({
  minPeriodMs: 10,
  maxPeriodMs: 86_400_000,
  minIntervalMs: 1_000,
  maxIntervalMs: 86_400_000,
  maxThreshold: 1e9,
} as const);

const DEFAULT_INTERVAL_MS = 600_000;

/** The settings of one source: those of its board, and what the gateway put in their place. */
export class Tuning {
  periodMs: number;
  threshold: number;
  maxIntervalMs: number;
  readonly #minPeriodMs: number;
  readonly #periodMs: number;
  readonly #threshold: number;
  readonly #maxIntervalMs: number;

  /**
   * @param board the board's own settings
   * @param minPeriodMs no faster than this: what a sample takes
   * @throws RangeError when the board's own settings are out of bounds
   */
  constructor(board: SourceSettings & { readonly periodMs: number }, minPeriodMs: number) {
    this.#minPeriodMs = Math.max(minPeriodMs, TUNING_BOUNDS.minPeriodMs);
    this.periodMs = this.#periodMs = board.periodMs;
    this.threshold = this.#threshold = board.threshold ?? 0;
    this.maxIntervalMs = this.#maxIntervalMs = board.maxIntervalMs ?? DEFAULT_INTERVAL_MS;
    const fault = this.apply(board);
    if (fault !== '') throw new RangeError(`sensor settings: ${fault} in ${JSON.stringify(board)}`);
  }

  /** @returns '' or what is out of bounds; then nothing has changed */
  apply(settings: SourceSettings): string {
    const periodMs = settings.periodMs ?? this.#periodMs;
    const threshold = settings.threshold ?? this.#threshold;
    const maxIntervalMs = settings.maxIntervalMs ?? this.#maxIntervalMs;
    const bounds = TUNING_BOUNDS;
    if (!whole(periodMs, this.#minPeriodMs, bounds.maxPeriodMs)) return 'bad-period';
    if (!(threshold >= 0 && threshold <= bounds.maxThreshold)) return 'bad-threshold';
    if (!whole(maxIntervalMs, bounds.minIntervalMs, bounds.maxIntervalMs)) return 'bad-interval';
    this.periodMs = periodMs;
    this.threshold = threshold;
    this.maxIntervalMs = maxIntervalMs;
    return '';
  }
}

function whole(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Math.floor(value) === value;
}
