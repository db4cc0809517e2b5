/** What lies between the readings had of a device: its gaps, for whoever has forgotten which he knew. */
import { comparePlaces } from '../journal/entry.js';
import type { Intervals } from './intervals.js';

type Place = readonly [epoch: number, seq: number];

export interface Had {
  readonly sdk: boolean;
  /** Epochs below were forgotten. */
  readonly floorEpoch: number;
  /** By number; sequences below the floor were forgotten. */
  readonly epochs: ReadonlyMap<number, { readonly floor: number; readonly had: Intervals }>;
}

/** @param first the first reading that is wanted; undefined: the first one had */
export function holesOf({ sdk, floorEpoch, epochs }: Had, first: Place | undefined): [Place, Place][] {
  const holes: [Place, Place][] = [];
  let from = first;
  for (const [epoch, { floor, had }] of [...epochs].sort(([a], [b]) => a - b)) {
    const flat = had.flat();
    for (let i = 0; i < flat.length; i += 2) {
      const to: Place = [epoch, flat[i]];
      if (from !== undefined) {
        // A sovereign-sdk epoch begins at 1, where a counter was lost: what the one before had further nobody knows.
        if (sdk && from !== first && from[0] !== epoch) from = [epoch, 1];
        from = later(from, later([floorEpoch, 0], floor === 0 ? [0, 0] : [epoch, floor]));
        if (comparePlaces(...from, ...to) < 0) holes.push([from, to]);
      }
      from = [epoch, flat[i + 1]];
    }
  }
  return holes;
}

function later(a: Place, b: Place): Place {
  return comparePlaces(...a, ...b) >= 0 ? a : b;
}
