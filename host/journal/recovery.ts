/**
 * Opening: finds out where the journal stands, from its last segment alone as long as that one is sound and
 * some of it is known to be synced. Changes nothing on disk. README.md has the table of what can be found and what comes of it.
 */

import { systemCode } from '../fault.js';
import type { Clock, Log, Storage } from '../ports.js';
import type { DurablePlace } from './cursor.js';
import type { DevicePosition, Entry, RecentTag } from './entry.js';
import { type HeaderLine, LineReader } from './line-reader.js';
import { MIN_ENTRY_BYTES, type PreviousSegment } from './line-writer.js';
import { segmentName, segmentsIn } from './names.js';
import { Scanner } from './scanner.js';
import { track } from './tracker.js';

export interface Recovered {
  segments: number[];
  /** Synced bytes of the segments that were gone through and that no later header speaks of: such a header says it. */
  bounds: Map<number, number>;
  positions: Map<string, DevicePosition>;
  recentTags: RecentTag[];
  /** Visible, but not known to be synced: to be written anew before anything relies on them. */
  tail: Entry[];
  previous: PreviousSegment | null;
  nextOffset: number;
  /** One more than the last durable entry's. */
  durableOffset: number;
}

export interface RecoveryPorts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
}

/** Before a segment of which nothing can be read counts as damaged; together, however many there are. */
const RETRY_PAUSES_MS = [100, 500, 2000];
/** Errors that say nothing of what is stored. */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);
/** Of a segment that can't even be opened, to be on the safe side. */
const UNKNOWN_SIZE_BYTES = 256 * 1024 * 1024;

/** What is known of a segment before its lines are looked at. */
interface Facts {
  first: number;
  /** First offset of the next segment, which none here may reach. */
  limit: number;
  /** What a later header says of it, which counts more than its own marks: the same for readers. */
  proven: PreviousSegment | undefined;
}

/** What one pass over a segment gives. */
interface Pass {
  header: HeaderLine | undefined;
  /** The header and as many devices as it announces. */
  complete: boolean;
  synced: number;
  /** Offset of the last durable entry; 0: none. */
  last: number;
  highest: number;
  damagedLines: number;
  /** The medium gave no more. */
  failed: boolean;
  tail: Entry[];
}

export async function recover(
  ports: RecoveryPorts,
  directory: string,
  cursors: Iterable<DurablePlace>,
): Promise<Recovered> {
  const { storage, log } = ports;
  const pauses = [...RETRY_PAUSES_MS];
  const segments = segmentsIn(await storage.list(directory));
  const recovered: Recovered = {
    segments,
    bounds: new Map(),
    positions: new Map(),
    recentTags: [],
    tail: [],
    previous: null,
    nextOffset: 1,
    durableOffset: 1,
  };
  let highest = 0;
  for (const cursor of cursors) highest = Math.max(highest, cursor.offset, cursor.end);

  let base = segments.length - 1;
  /** What the header of a segment says of the one before: true once written, even if never synced. */
  const proven = new Map<number, PreviousSegment>();
  const through = async (index: number): Promise<Pass> => {
    const [first, limit = Number.POSITIVE_INFINITY] = segments.slice(index, index + 2);
    const facts = { first, limit, proven: proven.get(first) };
    const pass = await goThrough(ports, directory, pauses, facts, recovered);
    const previous = pass.header?.previous;
    if (previous) proven.set(previous.first, previous);
    return pass;
  };
  let pass = base < 0 ? undefined : await through(base);
  while (pass && base > 0 && !isEnough(pass)) {
    if (!pass.complete) log.warn('journal-header-damaged', { segment: segmentName(segments[base]) });
    base--;
    recovered.bounds.clear();
    recovered.positions.clear();
    recovered.recentTags.length = 0;
    pass = await through(base);
  }
  let last = 0;
  for (let i = base; pass; ) {
    if (pass.header?.previous) highest = Math.max(highest, pass.header.previous.last);
    highest = Math.max(highest, pass.highest);
    last = Math.max(last, pass.last, pass.header?.previous?.last ?? 0);
    if (pass.synced > 0 && !pass.failed)
      recovered.previous = { first: segments[i], last, bytes: pass.synced };
    else recovered.previous ??= pass.header?.previous ?? null;
    if (pass.damagedLines > 0) {
      log.warn('journal-damaged-lines', { segment: segmentName(segments[i]), lines: pass.damagedLines });
    }
    recovered.tail = recovered.tail.concat(pass.tail);
    pass = ++i < segments.length ? await through(i) : undefined;
  }
  if (base < segments.length - 1) dropKnown(recovered);
  recovered.nextOffset = highest + 1;
  recovered.durableOffset = last + 1;
  return recovered;
}

/**
 * Whether opening may begin with this segment: it says where every device stood, and some of it is known to be
 * synced. Otherwise it may be no more than the torn copy of the tail of the segment before, which held the only
 * durable lines.
 */
function isEnough(pass: Pass): boolean {
  return pass.complete && pass.synced > 0;
}

/** What a later segment holds, synced, needs no further copy; and one copy of anything is enough. */
function dropKnown(recovered: Recovered): void {
  const key = (e: RecentTag) => `${e.device}/${e.epoch}/${e.seq}/${e.tag8}`;
  const known = new Set(recovered.recentTags.map(key));
  recovered.tail = recovered.tail.filter(entry => {
    // Gaps too: or a gateway that dies each time right after opening doubles them with every start.
    const own =
      entry.kind === 'reading'
        ? key(entry)
        : entry.kind === 'gap'
          ? `${entry.device}/${entry.from}/${entry.to}`
          : `${entry.from} ${entry.to}`;
    if (known.has(own)) return false;
    known.add(own);
    return true;
  });
}

async function goThrough(
  { storage, log, clock }: RecoveryPorts,
  directory: string,
  pauses: number[],
  facts: Facts,
  into: Recovered,
): Promise<Pass> {
  const { first, proven } = facts;
  const pass: Pass = {
    header: undefined,
    complete: false,
    synced: 0,
    last: 0,
    highest: first,
    damagedLines: 0,
    failed: false,
    tail: [],
  };
  let size = UNKNOWN_SIZE_BYTES;
  for (;;) {
    try {
      const file = await storage.open(`${directory}/${segmentName(first)}`, 'read');
      try {
        size = await file.size();
        await scan(new Scanner(file, new LineReader(), 0, size), facts, into, pass);
      } finally {
        await file.close();
      }
      if (!proven) into.bounds.set(first, pass.synced);
      return pass;
    } catch (error) {
      const code = systemCode(error);
      // The machine's trouble, and not the segment's: who begins in spite of it forgets where the devices stand.
      if (SHORTAGES.has(code)) throw error;
      const nothing = pass.highest === first && pass.tail.length === 0 && pass.synced === 0;
      const pauseMs = nothing ? pauses.shift() : undefined;
      if (pauseMs !== undefined) {
        await new Promise<void>(resolve => clock.after(pauseMs, resolve));
        continue;
      }
      // Unreadable is as bad as damaged, and no worse; whatever offsets it holds are burnt.
      pass.failed = true;
      pass.highest += Math.ceil(size / MIN_ENTRY_BYTES);
      log.error('journal-segment-unreadable', { segment: segmentName(first), error: code });
      return pass;
    }
  }
}

async function scan(
  scanner: Scanner,
  { first, limit, proven }: Facts,
  into: Recovered,
  pass: Pass,
): Promise<void> {
  const ends: number[] = [];
  const holes: number[] = [];
  let devices = 0;
  let damagedBytes = 0;
  while (await scanner.fill()) {
    for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
      if (line === 'damaged' || line === 'torn') {
        if (line === 'damaged') pass.damagedLines++;
        damagedBytes += scanner.bytes;
        holes.push(scanner.at);
      } else if (line === 'blank') {
        damagedBytes += scanner.bytes;
        holes.push(scanner.at);
      } else if (line.kind === 'header') {
        if (scanner.at === 0 && line.first === first) pass.header = line;
      } else if (line.kind === 'device') {
        devices++;
        into.positions.set(line.device, later(into.positions.get(line.device), line.position));
      } else if (line.kind === 'mark') {
        // Whatever stands before it, even where bytes have been cut out or put in.
        if (line.synced > 0) {
          pass.synced = scanner.at;
          if (!proven) settle(scanner.at, ends, into, pass);
        }
      } else {
        pass.highest = Math.max(pass.highest, line.offset);
        if (line.offset <= first || line.offset >= limit) continue;
        // Wherever it stands: as readers have it, who serve it.
        if (proven && line.offset <= proven.last) {
          count(line, into, pass);
        } else {
          pass.tail.push(line);
          ends.push(scanner.at + scanner.bytes);
        }
      }
    }
  }
  if (proven) pass.synced = Math.max(pass.synced, Math.min(proven.bytes, scanner.position));
  // Of what was never synced, a power cut keeps any part. Past a hole nothing is taken up: a receipt for what stands
  // behind it would have the device forget what stood in it.
  const hole = holes.find(at => at >= pass.synced);
  if (hole !== undefined) pass.tail.length = ends.filter(end => end <= hole).length;
  // Durable lines say where devices stood in whatever order; those of the tail are written anew in theirs.
  let order = pass.last;
  pass.tail = pass.tail.filter(({ offset }) => {
    const rises = offset > order;
    order = Math.max(order, offset);
    return rises;
  });
  pass.complete = pass.header !== undefined && pass.header.devices === devices;
  // Whatever offsets stood in damaged lines are burnt as well.
  pass.highest += Math.ceil(damagedBytes / MIN_ENTRY_BYTES);
}

/** Entries that end within the first `synced` bytes are durable. */
function settle(synced: number, ends: number[], into: Recovered, pass: Pass): void {
  let settled = 0;
  while (settled < ends.length && ends[settled] <= synced) count(pass.tail[settled++], into, pass);
  pass.tail.splice(0, settled);
  ends.splice(0, settled);
}

/** A durable entry. */
function count(entry: Entry, into: Recovered, pass: Pass): void {
  track(into.positions, entry);
  pass.last = Math.max(pass.last, entry.offset);
  if (entry.kind === 'reading') {
    into.recentTags.push({ device: entry.device, epoch: entry.epoch, seq: entry.seq, tag8: entry.tag8 });
  }
}

function later(a: DevicePosition | undefined, b: DevicePosition): DevicePosition {
  if (!a || b.epoch > a.epoch || (b.epoch === a.epoch && b.seq >= a.seq)) return b;
  return a;
}
