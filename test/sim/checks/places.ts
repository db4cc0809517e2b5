/** Places in a device's life, (epoch, sequence), as one number each, so that they compare: epochs up to 2^35, which those of sovereign-sdk come near after a restore. */
const EPOCH = 2 ** 18;

export function place(epoch: number, seq: number): number {
  return epoch * EPOCH + seq;
}

/** Where the next epoch begins. */
export function nextEpoch(at: number): number {
  return (Math.floor(at / EPOCH) + 1) * EPOCH;
}

export function epochAndSeq(at: number): [epoch: number, seq: number] {
  return [Math.floor(at / EPOCH), at % EPOCH];
}

export function placeText(at: number): string {
  return `${Math.floor(at / EPOCH)}:${at % EPOCH}`;
}

export type Range = readonly [from: number, to: number];

/** Disjoint ranges [from, to), ascending; few of them. */
export class RangeSet {
  ranges: Range[] = [];

  add(from: number, to: number): void {
    if (from >= to) return;
    const apart = this.ranges.filter(([f, t]) => t < from || f > to);
    const joined = this.ranges.filter(([f, t]) => t >= from && f <= to);
    const low = Math.min(from, ...joined.map(([f]) => f));
    const high = Math.max(to, ...joined.map(([, t]) => t));
    this.ranges = [...apart, [low, high] as Range].sort(([a], [b]) => a - b);
  }

  remove(from: number, to: number): void {
    if (from >= to || this.ranges.length === 0) return;
    this.ranges = this.ranges.flatMap(([f, t]): Range[] => {
      if (t <= from || f >= to) return [[f, t]];
      return [[f, Math.min(t, from)] as Range, [Math.max(f, to), t] as Range].filter(([a, b]) => a < b);
    });
  }

  has(at: number): boolean {
    return this.ranges.some(([f, t]) => f <= at && at < t);
  }

  /** Whether all of [from, to) is in it. */
  covers(from: number, to: number): boolean {
    return from >= to || this.ranges.some(([f, t]) => f <= from && to <= t);
  }

  touches(from: number, to: number): boolean {
    return this.ranges.some(([f, t]) => f < to && from < t);
  }
}
