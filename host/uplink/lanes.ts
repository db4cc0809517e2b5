/**
 * Which part of the journal goes next. `oldest-first`: all of it in its order, which is also each device's. `live-first`: what
 * comes in from now on goes at once, and what lay there before goes beside it, marked as historical. What has been passed of
 * the new, while the old is not, is a range of the cursor, of which a cursor keeps eight: when there are that many, newer
 * readings are taken where the last range ends.
 */
import { MAX_RANGES, type OffsetRange } from '../journal/cursor.js';
import { Lane } from './lane.js';
import { type Place, withRange } from './place.js';
import type { ReadAhead } from './read-ahead.js';

export type Order = 'oldest-first' | 'live-first';

export interface LanesOptions {
  readonly order: Order;
  readonly place: Place;
  /** One more than the last durable offset, now. */
  readonly head: number;
  /** As many entries go out at once: fewer are no backlog. */
  readonly smallBacklog: number;
}

export class Lanes {
  readonly #passed: readonly OffsetRange[];
  readonly #live: Lane;
  #past: Lane | undefined;

  /** @param read opens the journal at an offset */
  constructor({ order, place, head, smallBacklog }: LanesOptions, read: (from: number) => ReadAhead) {
    const { offset, ranges } = place;
    this.#passed = ranges;
    const last = ranges.at(-1)?.[1] ?? offset;
    // A little more at the end of the last range is no reason for one more range.
    const liveFrom =
      ranges.length > 0 && (ranges.length >= MAX_RANGES || head - last <= smallBacklog) ? last : head;
    if (order === 'oldest-first' || liveFrom - offset <= smallBacklog) {
      this.#live = new Lane(read(offset), {
        from: offset,
        until: Number.POSITIVE_INFINITY,
        passed: ranges,
        historical: false,
      });
      return;
    }
    this.#live = new Lane(read(liveFrom), {
      from: liveFrom,
      until: Number.POSITIVE_INFINITY,
      passed: [],
      historical: false,
    });
    this.#past = new Lane(read(offset), { from: offset, until: liveFrom, passed: ranges, historical: true });
  }

  /** The new goes first. */
  get live(): Lane {
    return this.#live;
  }

  /** What is still to be caught up with beside the new. */
  get past(): Lane | undefined {
    return this.#past;
  }

  get place(): Place {
    const past = this.#past;
    if (past === undefined) return behind(this.#live.cursor, this.#passed);
    return withRange(behind(past.cursor, this.#passed), [this.#live.from, this.#live.cursor]);
  }

  /** Nothing waits and nothing is on its way. */
  get empty(): boolean {
    return this.#past === undefined && this.#live.empty;
  }

  /** The journal has more at its end. */
  wake(): void {
    this.#live.wake();
  }

  fill(): void {
    this.#live.fill();
    this.#past?.fill();
  }

  /** Passes what holds no entries, and joins the two once the old has been caught up with. */
  settle(): void {
    this.#live.settle();
    const past = this.#past;
    if (past === undefined) return;
    past.settle();
    // Its end was durable when it began, so an end of what is to be read is the end of it.
    if (!past.empty) return;
    this.#past = undefined;
    past.close();
  }

  close(): void {
    this.#live.close();
    this.#past?.close();
  }
}

/** A place at this offset, with those of the ranges that still lie above it. */
function behind(offset: number, ranges: readonly OffsetRange[]): Place {
  let place: Place = { offset, ranges: [] };
  for (const range of ranges) if (range[1] > offset) place = withRange(place, range);
  return place;
}
