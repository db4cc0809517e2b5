/** What a subscriber's state file says, read without the product's code. */
import { place, type Range } from './places.js';

export interface RestoredDevice {
  /** Places of the readings it had. */
  readonly had: readonly number[];
  /** Those that were reported. */
  readonly gaps: readonly Range[];
  /** Those that nobody was told of. */
  readonly quiet: readonly Range[];
}

export interface RestoredState {
  readonly devices: ReadonlyMap<string, RestoredDevice>;
  /** Envelopes of unknown devices. */
  readonly held: number;
}

interface DeviceLine {
  d: string;
  e: [epoch: number, floor: number, ...ranges: number[]][];
  g: [fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number, quiet?: number][];
}

/** @param text of the file as it is just after it was begun: a snapshot */
export function readState(text: string): RestoredState {
  const devices = new Map<string, RestoredDevice>();
  let held = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const value = JSON.parse(line.slice(9)) as Partial<DeviceLine> & { h?: unknown };
    if (value.h !== undefined) held++;
    if (value.d === undefined) continue;
    const had: number[] = [];
    for (const [epoch, , ...flat] of value.e!)
      for (let i = 0; i + 1 < flat.length; i += 2)
        for (let seq = flat[i]; seq < flat[i + 1]; seq++) had.push(place(epoch, seq));
    const gaps: Range[] = [];
    const quiet: Range[] = [];
    for (const [fromEpoch, fromSeq, toEpoch, toSeq, code = 0] of value.g!)
      (code === 0 ? gaps : quiet).push([place(fromEpoch, fromSeq), place(toEpoch, toSeq)]);
    devices.set(value.d, { had, gaps, quiet });
  }
  return { devices, held };
}
