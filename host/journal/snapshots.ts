/**
 * Where devices stood when a segment began, by its header: what tells which segment holds a reading without going
 * through the journal.
 */
import { systemCode } from '../fault.js';
import type { DevicePosition } from './entry.js';
import { LineReader } from './line-reader.js';
import { segmentName } from './names.js';
import type { SegmentView } from './reader.js';
import { Scanner } from './scanner.js';

export interface Snapshot {
  /** Whether a device that isn't named had not been there before. */
  readonly complete: boolean;
  readonly positions: ReadonlyMap<string, DevicePosition>;
}

/** Positions kept over all snapshots, some 100 bytes each. */
const MAX_POSITIONS = 65_536;
const MAX_SNAPSHOTS = 256;
const BUFFER_BYTES = 64 * 1024;
const NOTHING: Snapshot = { complete: false, positions: new Map() };

/** Reads snapshots and keeps some; the one used least recently goes first. */
export class Snapshots {
  readonly #view: SegmentView;
  readonly #kept = new Map<number, Snapshot>();
  #positions = 0;

  constructor(view: SegmentView) {
    this.#view = view;
  }

  /** Incomplete and empty for a segment that has gone. @throws the storage's error when it can't be read */
  async of(first: number): Promise<Snapshot> {
    const kept = this.#kept.get(first);
    if (kept !== undefined) {
      this.#kept.delete(first);
      this.#kept.set(first, kept);
      return kept;
    }
    const snapshot = await this.#read(first);
    if (snapshot === undefined) return NOTHING;
    if (!this.#kept.has(first)) this.#keep(first, snapshot);
    return snapshot;
  }

  #keep(first: number, snapshot: Snapshot): void {
    this.#kept.set(first, snapshot);
    this.#positions += snapshot.positions.size;
    for (const [oldest, { positions }] of this.#kept) {
      if (this.#kept.size === 1) return;
      if (this.#kept.size <= MAX_SNAPSHOTS && this.#positions <= MAX_POSITIONS) return;
      this.#kept.delete(oldest);
      this.#positions -= positions.size;
    }
  }

  async #read(first: number): Promise<Snapshot | undefined> {
    const { storage, directory } = this.#view;
    const path = `${directory}/${segmentName(first)}`;
    const file = await storage.open(path, 'read').catch(error => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      const to = this.#view.bound(first) ?? (await file.size());
      const scanner = new Scanner(file, new LineReader(), 0, to, BUFFER_BYTES);
      return await read(scanner, first);
    } finally {
      await file.close();
    }
  }
}

async function read(scanner: Scanner, first: number): Promise<Snapshot> {
  const positions = new Map<string, DevicePosition>();
  let announced = -1;
  let lines = 0;
  while (await scanner.fill()) {
    for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
      if (scanner.at === 0) {
        // Without its header, or with that of another one, nobody knows of what these lines would be the snapshot.
        if (typeof line !== 'object' || line.kind !== 'header' || line.first !== first) return NOTHING;
        announced = line.devices;
      } else {
        lines++;
        if (typeof line === 'object' && line.kind === 'device') positions.set(line.device, line.position);
        else if (typeof line === 'object') return { complete: false, positions };
      }
      if (lines === announced) return { complete: positions.size === announced, positions };
    }
  }
  return { complete: false, positions };
}
