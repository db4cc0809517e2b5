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
import {
  destroyLines,
  type Held,
  key,
  newlyHeld,
  type Segment,
  segmentFirst,
  unmarkedIn,
} from './journal-held.js';
import { agrees, type GapLine, type ReadingLine, readLine, readPayload } from './journal-line.js';
import type { JournalCheckOptions } from './journal-options.js';
import { StoreCheck } from './journal-stores.js';

export type { Held } from './journal-held.js';

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
  readonly #offsets: Map<number, string>;
  readonly #chains: Chains;
  readonly #cursor: CursorCheck;
  readonly #stores: StoreCheck;
  #life: Life | undefined;
  #begunMs = 0;
  /** The medium has destroyed something of journal or cursors: positions may have been forgotten. */
  damaged = false;

  constructor(world: World, disk: Disk, options: JournalCheckOptions) {
    const { dataDirectory, limits, origin } = options;
    // Of all gateways together: what one has named, another may not.
    this.#offsets = origin === undefined ? new Map() : origin.before.#offsets;
    this.#chains = new Chains(origin?.positions);
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
    this.#begunMs = this.#world.nowMs;
    this.#cursor.begun(life);
  }

  /** It goes on with what another gateway had. */
  get restored(): boolean {
    return this.#before !== undefined;
  }

  /** The process that is there knows that it is durable: it was, or a mark says so. */
  isProven({ marked, sinceMs }: Held): boolean {
    return marked || sinceMs >= this.#begunMs;
  }

  /** A receipt for this reading is right. */
  warrants(device: string, epoch: number, seq: number, tag8: string): boolean {
    const held = this.#held.get(key(device, epoch, seq, tag8));
    if (held !== undefined && (held.copies > 0 || held.retired || held.destroyed)) {
      held.receipted = true;
      return true;
    }
    // One that was refused once, and that the device has forgotten to have given up.
    return this.#stores.hasEvidence(device, epoch, seq, tag8);
  }

  /** A device has let a reading go on a receipt. */
  receipted(device: string, epoch: number, seq: number, tag8: string): void {
    if (!this.warrants(device, epoch, seq, tag8))
      this.#fail('a receipted reading is durable', `${key(device, epoch, seq, tag8)} is not`);
  }

  /** A device has let a reading go because the gateway refuses it. */
  refused(device: string, epoch: number, seq: number, tag8: string): void {
    this.#stores.refused(device, epoch, seq, tag8);
  }

  /** What proves that it was right to refuse a reading is durable. */
  provesRefusal(device: string, epoch: number, seq: number, tag8: string): boolean {
    return this.#stores.proves(device, epoch, seq, tag8);
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

  /** The same, here or in a journal that this one goes on with. */
  knows(...reading: [device: string, epoch: number, seq: number, tag8: string]): boolean {
    return this.wasDurable(...reading) || (this.#before?.knows(...reading) ?? false);
  }

  /** The reading of a place, `device/epoch/seq`, here or in a journal that this one goes on with. */
  placeOf(place: string): Held | undefined {
    return this.#places.get(place) ?? this.#before?.placeOf(place);
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
    const from = this.#options.origin?.positions.get(device);
    const stood = from?.epoch === epoch && from.seq === seq;
    if (!stood && !this.#places.has(`${device}/${epoch}/${seq}`))
      this.#fail('the status is true', `${device} ${epoch}:${seq} is not durable`);
    const durable = (from?.readings ?? 0) + (this.#readings.get(device) ?? 0);
    if (readings > durable)
      this.#fail('the status is true', `${readings} readings of ${device}, not ${durable}`);
  }

  /** The gateway was stopped in order. `undisturbed`: its disk never refused it anything. */
  stopped(undisturbed: boolean): void {
    if (!undisturbed || this.damaged) return;
    const left = unmarkedIn(this.#segments.values(), this.#life);
    if (left !== '') this.#fail('a journal that was closed in order has nothing to copy', left);
  }

  /** Reads everything on the disk again. @param gone it is that of a machine that went as it stood */
  final(gone = false): void {
    const { ledger } = this.#options;
    if (!gone && ledger !== undefined) this.#stores.final(payload => ledger.find(payload) !== undefined);
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
      if (!this.damaged && !this.knows(device, epoch, seq, tag8))
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
    const copied = offset < (this.#options.origin?.offset ?? 0);
    let held = this.#held.get(name);
    if (held === undefined) {
      held = newlyHeld(name, line, this.#world.nowMs);
      if (copied) this.#copied(held);
      this.#held.set(name, held);
      if (this.#places.has(place) && !this.damaged)
        this.#fail('one reading a place', `${name} beside ${this.#places.get(place)!.key}`);
      const elsewhere = this.#before?.placeOf(place)?.key ?? name;
      if (elsewhere !== name && !ledger?.forked?.(device))
        this.#fail('one reading a place, whichever gateway', `${name} and ${elsewhere}`);
      this.#places.set(place, held);
      if (!copied) this.#readings.set(device, (this.#readings.get(device) ?? 0) + 1);
      const wrong = copied ? '' : this.#chains.next(line);
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

  /** The same line stands in another gateway's journal. */
  #copied(held: Held): void {
    const before = this.#options.origin!.before.#held.get(held.key);
    if (before === undefined) this.#fail('a restored journal holds what the old one held', held.key);
    held.published = before?.published ?? false;
    held.receipted = before?.receipted ?? false;
    held.destroyed = before?.destroyed ?? false;
    held.copied = true;
  }

  get #before(): JournalCheck | undefined {
    return this.#options.origin?.before;
  }

  #gap(segment: Segment, line: GapLine): void {
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
    destroyLines(this.#segments, file, from, to);
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
