/**
 * The journal of one gateway, as it stands on the disk: every line that a sync has made durable is read once, and held
 * against all that may not happen. (What a failed sync or a power cut left on the disk by chance does not count: no
 * process was told of it.) What is durable stays so in the disk's model, whatever crashes; what the model itself is worth
 * is shown by its own tests, and by `final`, which reads everything again.
 */
import type { Disk } from '../disk/disk.js';
import type { Inode } from '../disk/inode.js';
import type { Life } from '../kernel/life.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import { Chains } from './journal-chains.js';
import { CursorCheck } from './journal-cursor.js';
import { type Held, loseBehind, loseUnproven, type Segment, segmentFirst } from './journal-held.js';
import { agrees, type GapLine, type ReadingLine, readLine, readPayload } from './journal-line.js';
import { StoreCheck, type StoreLimits } from './journal-stores.js';

export type { Held } from './journal-held.js';

export interface SealedReadings {
  /** What has exactly these bytes; undefined: no device sealed them. */
  find(payload: Uint8Array): unknown;
}

export interface JournalCheckOptions {
  readonly dataDirectory: string;
  readonly limits: StoreLimits;
  readonly ledger?: SealedReadings;
  /** A gap has become durable. */
  readonly gap?: (line: GapLine) => void;
}

/** A header is no longer. */
const HEADER_BYTES = 256;
const READING = /"d":"([0-9a-f]{16})","e":(\d+),"q":(\d+),(?:"f":1,)?"b":/g;

export class JournalCheck {
  readonly #world: World;
  readonly #disk: Disk;
  readonly #options: JournalCheckOptions;
  readonly #directory: string;
  readonly #segments = new Map<Inode, Segment>();
  /** Removed before anybody could know of anything in it: it may come back with a power cut, and counts for nothing. */
  readonly #abandoned = new Set<Inode>();
  readonly #held = new Map<string, Held>();
  readonly #places = new Map<string, Held>();
  readonly #readings = new Map<string, number>();
  /** What each offset has named. */
  readonly #offsets = new Map<number, string>();
  readonly #chains = new Chains();
  readonly #cursor: CursorCheck;
  readonly #stores: StoreCheck;
  #life: Life | undefined;
  /** The medium has destroyed something of journal or cursors: positions may have been forgotten. */
  damaged = false;
  /** Lines read. */
  lines = 0;
  durable = 0;
  gaps = 0;

  constructor(world: World, disk: Disk, options: JournalCheckOptions) {
    const { dataDirectory, limits } = options;
    this.#world = world;
    this.#disk = disk;
    this.#options = options;
    this.#directory = `${dataDirectory}/journal`;
    this.#cursor = new CursorCheck(world, disk, `${dataDirectory}/cursors`);
    this.#stores = new StoreCheck(world, disk, dataDirectory, limits);
    const guarded = <A extends unknown[]>(run: (...args: A) => void) => this.#guarded(run);
    disk.watch(this.#directory, {
      written: guarded((file, from, _to, life, source) => this.#written(file, from, life, source)),
      settled: guarded(file => this.#settled(file)),
      removed: guarded(file => this.#removed(file)),
      destroyed: guarded((file, { from, to }) => this.#destroyed(file, from, to)),
    });
    disk.watch(`${dataDirectory}/cursors`, {
      written: guarded((file, _from, _to, life, source) => this.#cursor.written(file, life, source)),
      settled: guarded(file => this.#cursor.settled(file)),
      destroyed: () => {
        this.damaged = true;
        this.#cursor.damaged = true;
      },
    });
  }

  /** A process begins on this machine. */
  begun(life: Life): void {
    this.#life = life;
    this.#cursor.begun(life);
  }

  /** A device has let a reading go on a receipt. */
  receipted(device: string, epoch: number, seq: number, tag8: string): void {
    const held = this.#held.get(key(device, epoch, seq, tag8));
    if (held !== undefined && (held.copies > 0 || held.retired || held.destroyed)) {
      held.receipted = true;
      return;
    }
    // One that was refused once, and that the device has forgotten to have given up.
    if (this.#stores.hasEvidence(device, epoch, seq, tag8)) return;
    this.#fail('a receipted reading is durable', `${key(device, epoch, seq, tag8)} is not`);
  }

  /** A device has let a reading go because the gateway refuses it. */
  refused(device: string, epoch: number, seq: number, tag8: string): void {
    this.#stores.refused(device, epoch, seq, tag8);
  }

  /** The gateway says that it only counts this pair of a fork. */
  beyond(evidence: string): void {
    this.#stores.beyond(evidence);
  }

  /** The broker acknowledges a message on a sealed topic. */
  published(payload: Uint8Array): void {
    const held = this.#find(payload);
    if (held === undefined) {
      const hex = Buffer.from(payload.subarray(0, 40)).toString('hex');
      this.#fail('only what is durable is published', `${payload.length} bytes ${hex}…`);
      return;
    }
    held.published = true;
  }

  /** When a reading became durable first, in virtual ms; -1: it did not. */
  durableMs(payload: Uint8Array): number {
    return this.#find(payload)?.sinceMs ?? -1;
  }

  isDurable(device: string, epoch: number, seq: number, tag8: string): boolean {
    return (this.#held.get(key(device, epoch, seq, tag8))?.copies ?? 0) > 0;
  }

  /** At any time, whatever has become of it. */
  wasDurable(device: string, epoch: number, seq: number, tag8: string): boolean {
    return this.#held.has(key(device, epoch, seq, tag8));
  }

  /** Whether the medium has destroyed a line of it. */
  isDestroyed(device: string, epoch: number, seq: number): boolean {
    return this.#places.get(`${device}/${epoch}/${seq}`)?.destroyed ?? false;
  }

  /** Every reading that has been durable at any time. */
  readings(): Iterable<Held> {
    return this.#held.values();
  }

  /** The gateway says that it has published everything below `head`. */
  drained(head: number): void {
    this.#cursor.passes(head, 'drained only when everything is published');
  }

  /** The gateway says where a device stands, and how many readings it has journalled of it. */
  stands(device: string, epoch: number, seq: number, readings: number): void {
    if (this.damaged) return;
    if (!this.#places.has(`${device}/${epoch}/${seq}`))
      this.#fail('the status is true', `${device} ${epoch}:${seq} is not durable`);
    const durable = this.#readings.get(device) ?? 0;
    if (readings > durable)
      this.#fail('the status is true', `${readings} readings of ${device}, not ${durable}`);
  }

  /** The gateway was stopped in order. `undisturbed`: its disk never refused it anything. */
  stopped(undisturbed: boolean): void {
    if (!undisturbed || this.damaged) return;
    for (const { file, lines, marked } of this.#segments.values()) {
      const last = lines.at(-1);
      if (
        last !== undefined &&
        last.end > marked &&
        file.creator === this.#life &&
        file === this.#last()?.file
      )
        this.#fail('a journal that was closed in order has nothing to copy', `${file.path} from ${marked}`);
    }
  }

  /** Reads everything on the disk again. */
  final(): void {
    const { ledger } = this.#options;
    if (ledger !== undefined) this.#stores.final(payload => ledger.find(payload) !== undefined);
    const found = new Set<string>();
    for (const file of this.#disk.files()) {
      if (file.directory?.path !== this.#directory || file.durableLinks === 0) continue;
      for (const text of file.durable.toString('latin1').split('\n')) {
        const line = text === '' ? undefined : readLine(text);
        if (line?.kind === 'reading') found.add(key(line.device, line.epoch, line.seq, line.tag8));
      }
    }
    for (const held of this.#held.values()) {
      if (held.receipted && !held.retired && !held.destroyed && !found.has(held.key))
        this.#fail('what was receipted is in the journal', `${held.key} is gone`);
    }
  }

  #written(file: Inode, from: number, life: Life, source: Uint8Array): void {
    if (file.creator !== life)
      this.#fail('an opened segment is never appended to', `${file.path} at ${from} by a later process`);
    if (from !== file.size) this.#fail('a segment is only appended to', `${file.path} at ${from}`);
    const text = Buffer.from(source.buffer, source.byteOffset, source.length).toString('latin1');
    if (!this.damaged) this.#notAgain(text);
    if (source[2] !== 0x73) return;
    const line = readLine(text.slice(0, 35));
    if (line?.kind !== 'mark') return;
    const { synced } = line;
    const isSynced =
      synced <= file.durableSize && file.visible.compare(file.durable, 0, synced, 0, synced) === 0;
    if (!isSynced && file.destroyed.length === 0)
      this.#fail('a mark tells what is synced', `${file.path}: ${synced} of ${file.durableSize}`);
  }

  /** What is written: copies only of what no mark has said to be synced. */
  #notAgain(text: string): void {
    for (const [, device, epoch, seq] of text.matchAll(READING)) {
      const held = this.#places.get(`${device}/${epoch}/${seq}`);
      if (held?.marked && held.copies > 0) this.#fail('nothing is journalled twice', held.key);
    }
  }

  #settled(file: Inode): void {
    if (file.durableLinks === 0 || !this.#disk.isDurable(file.directory!) || this.#abandoned.has(file))
      return;
    let segment = this.#segments.get(file);
    if (segment === undefined) {
      const first = segmentFirst(file.name);
      if (first < 0) return;
      segment = { file, first, parsedBytes: 0, ended: false, marked: 0, offsets: [], lines: [] };
      this.#segments.set(file, segment);
    }
    const bytes = file.durable.subarray(0, file.confirmedSize);
    while (!segment.ended && segment.parsedBytes < bytes.length) {
      const at = segment.parsedBytes;
      const feed = bytes.indexOf(0x0a, at);
      if (feed < 0) break;
      segment.parsedBytes = feed + 1;
      this.#line(segment, bytes.toString('latin1', at, feed), at, feed + 1);
    }
  }

  #line(segment: Segment, text: string, at: number, end: number): void {
    const line = readLine(text);
    this.lines++;
    // A write that failed ends a segment; a line that rots while the segment is written does not.
    if (line === undefined) segment.ended = !segment.file.isDestroyed(at - 1, end);
    else if (line.kind === 'reading') this.#reading(segment, line, text, at, end);
    else if (line.kind === 'gap') this.#gap(segment, line);
    else if (line.kind === 'handover') {
      segment.offsets.push(line.offset);
      this.#offset(line.offset, `hand-over to ${line.to}`);
    } else if (line.kind === 'mark') this.#mark(segment, line.synced);
    else if (line.kind === 'device') {
      const { device, epoch, seq, tag8 } = line;
      if (!this.damaged && !this.#held.has(key(device, epoch, seq, tag8)))
        this.#fail(
          'a snapshot names what is durable',
          `${segment.file.path}: ${key(device, epoch, seq, tag8)}`,
        );
    } else {
      if (line.first !== segment.first)
        this.#fail('a segment bears its first offset', `${segment.file.path}: ${line.first}`);
      this.#offset(line.first, `header of ${line.first}`);
      segment.offsets.push(line.first);
    }
  }

  #reading(segment: Segment, line: ReadingLine, text: string, at: number, end: number): void {
    const { offset, device, epoch, seq, tag8, payload } = line;
    const name = key(device, epoch, seq, tag8);
    const { ledger } = this.#options;
    if (ledger !== undefined && ledger.find(payload) === undefined)
      this.#fail('nothing unsealed is in the journal', `${name} at offset ${offset}`);
    if (!agrees(text, line)) this.#fail('a line says what its payload says', text.slice(0, 120));
    this.#offset(offset, name);
    const place = `${device}/${epoch}/${seq}`;
    let held = this.#held.get(name);
    if (held === undefined) {
      held = newlyHeld(name, line, this.#world.nowMs);
      this.#held.set(name, held);
      if (this.#places.has(place) && !this.damaged)
        this.#fail('one reading a place', `${name} beside ${this.#places.get(place)!.key}`);
      this.#places.set(place, held);
      this.durable++;
      this.#readings.set(device, (this.#readings.get(device) ?? 0) + 1);
      const wrong = this.#chains.next(line);
      if (wrong !== '' && !this.damaged)
        this.#fail('readings of a device are in order, or a gap says why', wrong);
    }
    // What rots before it is known to be durable was never a copy.
    if (segment.file.isDestroyed(at - 1, end)) held.destroyed = true;
    else held.copies++;
    held.highest = Math.max(held.highest, offset);
    segment.lines.push({ at, end, offset, held });
    this.#cursor.line(offset, held);
  }

  #gap(segment: Segment, line: GapLine): void {
    this.gaps++;
    segment.offsets.push(line.offset);
    this.#offset(line.offset, `gap ${line.device} ${line.from}-${line.to}`);
    this.#chains.gap(line);
    this.#options.gap?.(line);
  }

  #mark(segment: Segment, synced: number): void {
    if (synced <= segment.marked) return;
    for (const { end, held } of segment.lines) if (end > segment.marked && end <= synced) held.marked = true;
    segment.marked = synced;
  }

  #offset(offset: number, name: string): void {
    const known = this.#offsets.get(offset);
    if (known === undefined) this.#offsets.set(offset, name);
    else if (known !== name && !this.damaged)
      this.#fail('an offset is used once', `${offset} was ${known}, is ${name}`);
  }

  #removed(file: Inode): void {
    const segment = this.#segments.get(file);
    this.#segments.delete(file);
    if (segment === undefined || segment.marked === 0) this.#abandoned.add(file);
    if (segment === undefined) return;
    const passed = segment.lines.length === 0 ? 0 : this.#cursor.durable();
    if (segment.marked === 0) for (const offset of segment.offsets) this.#offsets.delete(offset);
    for (const { offset, held, at, end } of segment.lines) {
      if (segment.marked === 0) this.#offsets.delete(offset);
      if (file.isDestroyed(at - 1, end)) continue;
      held.copies--;
      // Of an older copy that is left, in a tail that was given up, nobody can tell any more that it is sound.
      if (offset === held.highest && held.published && offset < passed) held.retired = true;
      if (held.copies > 0) continue;
      if (held.published && offset < passed) held.retired = true;
      else if (held.receipted && !held.destroyed)
        this.#fail(
          'a segment goes when the cursor has passed it',
          `${held.key} at ${offset}, cursor ${passed}`,
        );
    }
  }

  #destroyed(file: Inode, from: number, to: number): void {
    this.damaged = true;
    const segment = this.#segments.get(file);
    const lines = segment?.lines ?? [];
    const next = segment && this.#after(segment);
    if (from < HEADER_BYTES) loseUnproven(this.#segments.values(), file);
    if (next?.file.isDestroyed(0, HEADER_BYTES)) loseUnproven(this.#segments.values(), next.file);
    for (const line of lines) {
      // The line feed before it belongs to it too.
      if (line.at > to || line.end <= from) continue;
      const before = file.destroyed.slice(0, -1).some(range => range.from < line.end && range.to >= line.at);
      if (!before) line.held.copies--;
      line.held.destroyed = true;
    }
    if (segment !== undefined && next === undefined) loseBehind(segment, from);
  }

  #after({ first }: Segment): Segment | undefined {
    let next: Segment | undefined;
    for (const segment of this.#segments.values())
      if (segment.first > first && segment.first < (next?.first ?? Number.POSITIVE_INFINITY)) next = segment;
    return next;
  }

  #last(): Segment | undefined {
    let last: Segment | undefined;
    for (const segment of this.#segments.values())
      if (last === undefined || segment.first > last.first) last = segment;
    return last;
  }

  #find(payload: Uint8Array): Held | undefined {
    const line = readPayload(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
    return line && this.#held.get(key(line.device, line.epoch, line.seq, line.tag8));
  }

  #fail(what: string, details: string): void {
    this.#world.fail(new Violation(what, details));
  }

  /** What goes wrong in here must not come out in the product. */
  #guarded<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      try {
        run(...args);
      } catch (error) {
        this.#world.fail(error);
      }
    };
  }
}

function newlyHeld(key: string, { device, epoch, seq }: ReadingLine, sinceMs: number): Held {
  const not = { marked: false, receipted: false, published: false, retired: false, destroyed: false };
  return { key, device, epoch, seq, sinceMs, copies: 0, highest: 0, ...not };
}

export function key(device: string, epoch: number, seq: number, tag8: string): string {
  return `${device}/${epoch}/${seq}/${tag8}`;
}
