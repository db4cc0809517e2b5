/** Journals with everything in them, and every way to damage them. */
import { segmentName, segmentsIn } from '../../../host/journal/names.js';
import { FaultyStorage } from './faulty-storage.js';
import { DEVICES, DIRECTORY, gap, open, reading, settle, store } from './world.js';

export type Chance = (below: number) => number;

/** A generator for tests, from one seed. */
export function chanceOf(seed: number): Chance {
  let state = (Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) ^ 0x1234567) >>> 0;
  return below => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Place {
  epoch: number;
  seq: number;
  final: boolean;
}

/**
 * A journal as gateways leave it: devices that reboot, rotate and are silent, kills with tails that were copied,
 * batches that failed. Closed in order or not.
 */
export async function journalOf(chance: Chance): Promise<FaultyStorage> {
  let storage = new FaultyStorage();
  const places = new Map<string, Place>();
  const lives = 1 + chance(3);
  for (let life = 0; life < lives; life++) {
    const journal = await open(storage, { segmentBytes: 1200 + chance(2500), maxBatchBytes: 600 });
    for (let round = 4 + chance(14); round > 0; round--) {
      if (chance(12) === 0) failOnce(storage);
      await store(journal, ...batch(chance, places));
    }
    const last = life === lives - 1;
    if (chance(2) === 0) await journal.close();
    else storage = storage.afterCrash(chance(2) === 0 ? 'visible' : () => chance(1000) / 1000);
    // What the crash took of the last batch is resent by the devices; here they go on from what is there.
    if (!last) await takeUp(storage, places);
  }
  storage.upset = () => undefined;
  return storage;
}

function failOnce(storage: FaultyStorage): void {
  storage.upset = effect => {
    if (effect !== 'sync') return undefined;
    storage.upset = () => undefined;
    return 'EIO';
  };
}

async function takeUp(storage: FaultyStorage, places: Map<string, Place>): Promise<void> {
  const copy = storage.afterCrash('visible');
  const journal = await open(copy);
  places.clear();
  for (const [device, { epoch, seq, final }] of journal.positions)
    places.set(device, { epoch, seq: seq + 1, final });
  await settle(1);
}

function batch(chance: Chance, places: Map<string, Place>) {
  const entries = [];
  for (let n = 1 + chance(6); n > 0; n--) {
    const device = DEVICES[chance(DEVICES.length)];
    const place = places.get(device) ?? { epoch: 0, seq: 0, final: false };
    places.set(device, place);
    if (place.final) Object.assign(place, { epoch: place.epoch + 1, seq: 0, final: false });
    else if (place.seq > 0 && chance(15) === 0) {
      // Rebooted without a final reading.
      entries.push(gap(device, [place.epoch, place.seq], [place.epoch + 1, 0]));
      Object.assign(place, { epoch: place.epoch + 1, seq: 0 });
    }
    place.final = place.seq > 3 && chance(12) === 0;
    entries.push(reading(device, place.epoch, place.seq++, { final: place.final }));
  }
  return entries;
}

export function segmentPaths(storage: FaultyStorage): string[] {
  const prefix = `${DIRECTORY}/`;
  const names = [...storage.visible.keys()].filter(path => path.startsWith(prefix));
  return segmentsIn(names.map(path => path.slice(prefix.length))).map(first => prefix + segmentName(first));
}

/** `place`: bytes are other bytes than before, in place; `shape`: bytes, lines or files moved, went or came. */
export type Kind = 'place' | 'shape';
export type Way = readonly [
  name: string,
  kind: Kind,
  damage: (storage: FaultyStorage, chance: Chance) => void,
];

const any = (storage: FaultyStorage, chance: Chance): string => {
  const paths = segmentPaths(storage);
  return paths[chance(paths.length)];
};

/** Where a line of a segment begins and ends. */
export function lines(bytes: Buffer): { at: number; end: number }[] {
  const found: { at: number; end: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, at);
    const end = feed < 0 ? bytes.length : feed + 1;
    found.push({ at, end });
    at = end;
  }
  return found;
}

function block(chance: Chance, bytes: Buffer): Buffer {
  const all = lines(bytes);
  const from = chance(all.length);
  const to = Math.min(all.length - 1, from + chance(6));
  return Buffer.from(bytes.subarray(all[from]?.at ?? 0, all[to]?.end ?? 0));
}

export const WAYS: readonly Way[] = [
  [
    'flip',
    'place',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        if (bytes.length > 0) bytes[chance(bytes.length)] ^= 1 << chance(8);
        return bytes;
      }),
  ],
  [
    'zeros',
    'place',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        const at = chance(bytes.length + 1);
        return bytes.fill(0, at, Math.min(bytes.length, at + 1 + chance(900)));
      }),
  ],
  [
    'garbage',
    'place',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        const at = chance(bytes.length + 1);
        const end = Math.min(bytes.length, at + 1 + chance(500));
        for (let i = at; i < end; i++) bytes[i] = chance(256);
        return bytes;
      }),
  ],
  [
    'truncate',
    'shape',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => bytes.subarray(0, chance(bytes.length + 1))),
  ],
  [
    'cut out',
    'shape',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        const at = chance(bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + chance(600))]);
      }),
  ],
  [
    'cut lines out',
    'shape',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        const all = lines(bytes);
        const from = chance(all.length);
        const to = Math.min(all.length - 1, from + chance(4));
        if (all.length === 0) return bytes;
        return Buffer.concat([bytes.subarray(0, all[from].at), bytes.subarray(all[to].end)]);
      }),
  ],
  [
    'insert a block',
    'shape',
    (storage, chance) => {
      const piece = block(chance, storage.content(any(storage, chance)));
      storage.alter(any(storage, chance), bytes => {
        const all = lines(bytes);
        const at = all.length === 0 ? 0 : chance(3) === 0 ? chance(bytes.length) : all[chance(all.length)].at;
        return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
      });
    },
  ],
  [
    'overwrite with a block',
    'shape',
    (storage, chance) => {
      const piece = block(chance, storage.content(any(storage, chance)));
      storage.alter(any(storage, chance), bytes => {
        piece.copy(bytes, chance(bytes.length + 1));
        return bytes;
      });
    },
  ],
  [
    'swap lines',
    'shape',
    (storage, chance) =>
      storage.alter(any(storage, chance), bytes => {
        const all = lines(bytes);
        if (all.length < 2) return bytes;
        const parts = all.map(({ at, end }) => bytes.subarray(at, end));
        const [a, b] = [chance(parts.length), chance(parts.length)];
        [parts[a], parts[b]] = [parts[b], parts[a]];
        return Buffer.concat(parts);
      }),
  ],
  [
    'swap segments',
    'shape',
    (storage, chance) => {
      const [a, b] = [any(storage, chance), any(storage, chance)];
      const [one, two] = [storage.content(a), storage.content(b)];
      storage.alter(a, () => Buffer.from(two));
      storage.alter(b, () => Buffer.from(one));
    },
  ],
  [
    'delete a segment',
    'shape',
    (storage, chance) => {
      // The oldest may go by right, and the last leaves no trace.
      const between = segmentPaths(storage).slice(1, -1);
      if (between.length === 0) return;
      const path = between[chance(between.length)];
      storage.visible.delete(path);
      storage.durable.delete(path);
    },
  ],
];
