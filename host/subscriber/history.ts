/**
 * Which readings a subscriber has had, and which it misses. Everything here follows from the sequence of readings
 * taken, so that the state file only has to say those.
 *
 * What is had is kept as ranges of sequences for each (device, epoch): enough to drop duplicates for ever, not
 * enough to tell whether a duplicate has the same bytes as the first (`RecentTags` remembers some for that).
 */
import { gapBetween, type Gap as SealGap } from '../../firmware/seal/index.js';
import { holesOf } from './holes.js';
import { Intervals } from './intervals.js';

/** Ranges kept for one epoch of a device. */
export const MAX_RANGES = 4096;
/** Epochs kept for a device: as many as may lie ahead of the last accepted one. */
export const MAX_EPOCHS = 4096;
/** Gaps watched for a device. */
export const MAX_GAPS = 1024;

/** `seen`: a duplicate. `stale`: older than what is remembered, so nobody can tell whether it is one. */
export type Taken = 'new' | 'seen' | 'stale';

/**
 * Readings that are missing: from (fromEpoch, fromSeq) up to, not including, (toEpoch, toSeq). When the epochs differ, how
 * many is unknown, and none at all is possible: a device that loses its power ends an epoch without a word.
 */
export interface Gap extends SealGap {
  readonly device: string;
  /**
   * Nobody has been told of it. `start`: wanted without knowing that there was anything, because it came before the first
   * reading ever had, or what was known of it is lost; `within`: what is left of such a one above a reading that came.
   */
  readonly quiet?: Quiet;
}

export type Quiet = 'start' | 'within';
const QUIETS: readonly (Quiet | undefined)[] = [undefined, 'start', 'within'];

export type GapListener = (event: 'noticed' | 'closed' | 'forgotten', gap: Gap) => void;

interface Epoch {
  /** Sequences below were forgotten. */
  floor: number;
  readonly had: Intervals;
}

export interface Top {
  epoch: number;
  seq: number;
  final: boolean;
}

interface Device {
  readonly sdk: boolean;
  readonly epochs: Map<number, Epoch>;
  /** Epochs below were forgotten. */
  floorEpoch: number;
  /** The furthest reading had. What came before the first one ever had is not missed. */
  top: Top | undefined;
  gaps: Gap[];
}

/** As in the state file: `d` device, `k` 1 for sovereign-sdk, `f` floor, `t` top, `e` epochs, `g` gaps. */
export interface DeviceSnapshot {
  d: string;
  k: 0 | 1;
  f: number;
  t: [epoch: number, seq: number, final: 0 | 1] | null;
  e: [epoch: number, floor: number, ...ranges: number[]][];
  /** `quiet`: 1 `start`, 2 `within`. */
  g: [fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number, quiet?: number][];
}

export class History {
  readonly #devices = new Map<string, Device>();
  readonly #listener: GapListener;
  readonly #changed = new Set<string>();

  constructor(listener: GapListener = () => {}) {
    this.#listener = listener;
  }

  /** The furthest epoch had of each device. */
  *tops(): Iterable<[device: string, epoch: number]> {
    for (const [id, { top }] of this.#devices) if (top !== undefined) yield [id, top.epoch];
  }

  *gaps(): Iterable<Gap> {
    for (const { gaps } of this.#devices.values()) yield* gaps;
  }

  /** The furthest reading had of a device. */
  topOf(device: string): Readonly<Top> | undefined {
    return this.#devices.get(device)?.top;
  }

  gapsOf(device: string): readonly Gap[] {
    return this.#devices.get(device)?.gaps ?? [];
  }

  /** Devices whose gaps changed since the last call. */
  changed(): string[] {
    if (this.#changed.size === 0) return [];
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /**
   * Takes a verified reading.
   * @param final its epoch ends with it
   * @param sdk of a sovereign-sdk sensor: sequences begin at 1, and no reading says that an epoch has ended
   */
  take(id: string, epoch: number, seq: number, final: boolean, sdk: boolean): Taken {
    const device = this.#device(id, sdk);
    if (epoch < device.floorEpoch) return 'stale';
    const ranges = this.#epoch(device, epoch);
    if (seq < ranges.floor) return 'stale';
    if (!ranges.had.add(seq)) return 'seen';
    if (ranges.had.size > MAX_RANGES) ranges.floor = ranges.had.dropLowest();
    const { top } = device;
    if (top !== undefined && (epoch < top.epoch || (epoch === top.epoch && seq < top.seq))) {
      this.#fill(device, id, epoch, seq, final);
      return 'new';
    }
    if (top !== undefined) this.#notice(device, id, top, epoch, seq);
    device.top = { epoch, seq, final };
    return 'new';
  }

  /** Misses what came before the first reading had of a device, from (epoch, seq) on. */
  missBefore(id: string, fromEpoch: number, fromSeq: number): Gap | undefined {
    const device = this.#devices.get(id);
    if (device?.top === undefined || device.gaps.length > 0) return undefined;
    const { epoch, seq } = device.top;
    const gap: Gap = { device: id, fromEpoch, fromSeq, toEpoch: epoch, toSeq: seq, quiet: 'start' };
    if (empty(gap)) return undefined;
    device.gaps.push(gap);
    this.#changed.add(id);
    return gap;
  }

  /**
   * Some of what was known has been lost: misses whatever lies between what is left.
   * @param firstOf the first reading that is wanted of a device; undefined: nothing before the first one had
   */
  missHoles(firstOf: (device: string) => readonly [epoch: number, seq: number] | undefined): void {
    for (const [id, device] of this.#devices) {
      if (device.top === undefined) continue;
      const told = device.gaps.filter(({ quiet }) => quiet === undefined);
      device.gaps = holesOf(device, firstOf(id))
        .slice(-MAX_GAPS)
        .map(([[fromEpoch, fromSeq], [toEpoch, toSeq]]) => {
          const gap: Gap = { device: id, fromEpoch, fromSeq, toEpoch, toSeq };
          return told.some(other => within(gap, other.fromEpoch, other.fromSeq))
            ? gap
            : { ...gap, quiet: 'start' };
        });
      this.#changed.add(id);
    }
  }

  /** Stops missing these readings: they are lost. Should they come after all, they are taken. */
  giveUp(gap: Gap): void {
    const device = this.#devices.get(gap.device);
    if (device === undefined) return;
    device.gaps = device.gaps.filter(other => !sameGap(other, gap));
  }

  *snapshot(): Iterable<DeviceSnapshot> {
    for (const [d, device] of this.#devices) {
      const { top } = device;
      yield {
        d,
        k: device.sdk ? 1 : 0,
        f: device.floorEpoch,
        t: top === undefined ? null : [top.epoch, top.seq, top.final ? 1 : 0],
        e: [...device.epochs].map(([epoch, { floor, had }]) => [epoch, floor, ...had.flat()]),
        g: device.gaps.map(({ fromEpoch, fromSeq, toEpoch, toSeq, quiet }) =>
          quiet === undefined
            ? [fromEpoch, fromSeq, toEpoch, toSeq]
            : [fromEpoch, fromSeq, toEpoch, toSeq, QUIETS.indexOf(quiet)],
        ),
      };
    }
  }

  /** Adds what a snapshot says to what is known. */
  restore({ d, k, f, t, e, g }: DeviceSnapshot): void {
    const device = this.#device(d, k === 1);
    device.floorEpoch = Math.max(device.floorEpoch, f);
    for (const [number, floor, ...flat] of e) {
      const epoch = this.#epoch(device, number);
      epoch.floor = Math.max(epoch.floor, floor);
      for (let i = 0; i + 1 < flat.length; i += 2) epoch.had.addRange(flat[i], flat[i + 1]);
      while (epoch.had.size > MAX_RANGES) epoch.floor = epoch.had.dropLowest();
    }
    const { top } = device;
    if (t === null || (top !== undefined && (top.epoch > t[0] || (top.epoch === t[0] && top.seq >= t[1]))))
      return;
    device.top = { epoch: t[0], seq: t[1], final: t[2] === 1 };
    device.gaps = g.map(([fromEpoch, fromSeq, toEpoch, toSeq, code = 0]) => {
      const quiet = QUIETS[code];
      return { device: d, fromEpoch, fromSeq, toEpoch, toSeq, ...(quiet && { quiet }) };
    });
  }

  #device(id: string, sdk: boolean): Device {
    let device = this.#devices.get(id);
    if (device === undefined) {
      device = { sdk, epochs: new Map(), floorEpoch: 0, top: undefined, gaps: [] };
      this.#devices.set(id, device);
    }
    return device;
  }

  #epoch(device: Device, number: number): Epoch {
    let epoch = device.epochs.get(number);
    if (epoch === undefined) {
      epoch = { floor: 0, had: new Intervals() };
      device.epochs.set(number, epoch);
      if (device.epochs.size > MAX_EPOCHS) {
        const lowest = Math.min(...device.epochs.keys());
        device.epochs.delete(lowest);
        device.floorEpoch = Math.max(device.floorEpoch, lowest + 1);
      }
    }
    return epoch;
  }

  #notice(device: Device, id: string, top: Top, epoch: number, seq: number): void {
    const missing = device.sdk ? sdkGap(top, epoch, seq) : sealGap(top, epoch, seq);
    if (missing !== undefined) this.#miss(device, { device: id, ...missing });
  }

  #miss(device: Device, gap: Gap): void {
    device.gaps.push(gap);
    this.#changed.add(gap.device);
    this.#listener('noticed', gap);
    if (device.gaps.length > MAX_GAPS) this.#listener('forgotten', device.gaps.shift()!);
  }

  /** A late reading of a sovereign-sdk epoch, beyond what was thought its end: what lies between is missing too. */
  #noticeTail(device: Device, id: string, epoch: number, seq: number): void {
    const flat = device.epochs.get(epoch)!.had.flat();
    const begin = flat.findIndex((from, i) => i % 2 === 0 && from === seq);
    const first = Math.min(...device.epochs.keys()) === epoch ? seq : 1;
    const fromSeq = begin > 0 ? flat[begin - 1] : first;
    if (begin >= 0 && fromSeq < seq)
      this.#miss(device, { device: id, fromEpoch: epoch, fromSeq, toEpoch: epoch, toSeq: seq });
  }

  /** Below everything that was had, where nothing is missed: from there on, something may be. */
  #noticeBelow(device: Device, id: string, epoch: number, seq: number, final: boolean): void {
    const [from, to] = holesOf(device, undefined)[0] ?? [];
    if (from === undefined || from[0] !== epoch || from[1] !== seq + 1) return;
    const flat = device.epochs.get(epoch)!.had.flat();
    const lowest = Math.min(...device.epochs.keys()) === epoch && flat[0] === seq;
    if (lowest) this.#notice(device, id, { epoch, seq, final }, ...to);
  }

  #fill(device: Device, id: string, epoch: number, seq: number, final: boolean): void {
    const at = device.gaps.findIndex(gap => within(gap, epoch, seq));
    if (at < 0) {
      if (device.sdk) this.#noticeTail(device, id, epoch, seq);
      this.#noticeBelow(device, id, epoch, seq, final);
      return;
    }
    const gap = device.gaps[at];
    this.#changed.add(gap.device);
    const below = { ...gap, toEpoch: epoch, toSeq: seq };
    const above: Gap = {
      ...gap,
      fromEpoch: final ? epoch + 1 : epoch,
      fromSeq: final ? 0 : seq + 1,
      ...(gap.quiet && { quiet: 'within' }),
    };
    const left = [below, above].filter(part => !empty(part));
    device.gaps.splice(at, 1, ...left);
    if (left.length === 0) this.#listener('closed', gap);
    if (device.gaps.length > MAX_GAPS) this.#listener('forgotten', device.gaps.shift()!);
  }
}

function sealGap(top: Top, epoch: number, seq: number): SealGap | undefined {
  return gapBetween({ ...top, tag8: NO_TAG }, epoch, seq);
}

const NO_TAG = new Uint8Array(8);

/** An epoch of a sovereign-sdk sensor begins where its counter was lost: nobody knows how far it had come. */
function sdkGap(top: Top, epoch: number, seq: number): SealGap | undefined {
  const fromSeq = epoch === top.epoch ? top.seq + 1 : 1;
  return seq > fromSeq ? { fromEpoch: epoch, fromSeq, toEpoch: epoch, toSeq: seq } : undefined;
}

function within(gap: Gap, epoch: number, seq: number): boolean {
  const after = epoch > gap.fromEpoch || (epoch === gap.fromEpoch && seq >= gap.fromSeq);
  return after && (epoch < gap.toEpoch || (epoch === gap.toEpoch && seq < gap.toSeq));
}

function empty(gap: Gap): boolean {
  return gap.fromEpoch > gap.toEpoch || (gap.fromEpoch === gap.toEpoch && gap.fromSeq >= gap.toSeq);
}

export function sameGap(a: Gap, b: Gap): boolean {
  return (
    a.device === b.device &&
    a.fromEpoch === b.fromEpoch &&
    a.fromSeq === b.fromSeq &&
    a.toEpoch === b.toEpoch &&
    a.toSeq === b.toSeq
  );
}
