/**
 * Goes through a journal that nobody has open, or a copy of one that is being written, with one buffer of
 * memory: what is sound, what is damaged, and what the damage costs.
 */
import type { Storage } from '../ports.js';
import type { Damage, Entry, GapEntry } from './entry.js';
import { JOURNAL_LINK } from './entry.js';
import { LineReader } from './line-reader.js';
import { segmentName, segmentsIn } from './names.js';
import { JournalReader } from './reader.js';
import { markedBytes } from './segment.js';

const ENTRIES_AT_ONCE = 256;

/** What `walk` tells, in the order of the journal. */
export interface WalkListener {
  entry?(entry: Entry): void | Promise<void>;
  damage?(damage: Damage): void | Promise<void>;
  /** Readings that are gone; noticed at the line with this gap's offset. */
  loss?(gap: GapEntry): void | Promise<void>;
}

export interface WalkSummary {
  segments: number;
  readings: number;
  gaps: number;
  firstOffset: number;
  lastOffset: number;
  damages: number;
  damagedBytes: number;
  losses: number;
  /** Bytes after the last mark: not known to be synced, written anew when the gateway starts. */
  unprovenBytes: number;
}

/**
 * Reads every durable entry from `fromOffset` on.
 *
 * @throws the storage's error when the disk can't be read at all
 */
export async function walk(
  storage: Storage,
  directory: string,
  fromOffset: number,
  listener: WalkListener,
): Promise<WalkSummary> {
  const segments = segmentsIn(await storage.list(directory));
  const summary: WalkSummary = {
    segments: segments.length,
    readings: 0,
    gaps: 0,
    firstOffset: -1,
    lastOffset: -1,
    damages: 0,
    damagedBytes: 0,
    losses: 0,
    unprovenBytes: 0,
  };
  const last = segments[segments.length - 1];
  let lastBound: number | undefined;
  if (last !== undefined) {
    const file = await storage.open(`${directory}/${segmentName(last)}`, 'read');
    lastBound = await markedBytes(file, new LineReader());
    summary.unprovenBytes = (await file.size()) - lastBound;
    await file.close();
  }
  const damages: Damage[] = [];
  const reader = new JournalReader(
    { storage, directory, segments, bound: first => (first === last ? lastBound : undefined) },
    fromOffset,
    { damaged: damage => damages.push(damage) },
  );
  try {
    for (;;) {
      const entries = await reader.next(ENTRIES_AT_ONCE);
      for (const damage of damages.splice(0)) {
        summary.damages++;
        summary.damagedBytes += damage.bytes;
        await listener.damage?.(damage);
      }
      if (entries.length === 0) return summary;
      for (const entry of entries) await take(entry, summary, listener);
    }
  } finally {
    await reader.close();
  }
}

async function take(entry: Entry, summary: WalkSummary, listener: WalkListener): Promise<void> {
  if (entry.kind === 'gap' && entry.link === JOURNAL_LINK) {
    summary.losses++;
    await listener.loss?.(entry);
    return;
  }
  if (summary.firstOffset < 0) summary.firstOffset = entry.offset;
  summary.lastOffset = entry.offset;
  if (entry.kind === 'reading') summary.readings++;
  else summary.gaps++;
  await listener.entry?.(entry);
}
