/** The cursor says what may be forgotten: it never stands past a reading that no broker has acknowledged. */
import { crc32 } from 'node:zlib';
import type { Disk } from '../disk/disk.js';
import type { Inode } from '../disk/inode.js';
import type { FaultKind } from '../kernel/fault-kinds.js';
import type { Life } from '../kernel/life.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { Held } from './journal-held.js';

/** With these, a slot may be unreadable, or hold what no sync has confirmed. */
const UNSOUND: readonly FaultKind[] = [
  'disk-bad-page',
  'disk-eio-read',
  'disk-eio-sync',
  'disk-enospc',
  'disk-outage',
  'disk-rot',
];

interface Line {
  readonly offset: number;
  readonly held: Held;
}

interface SavedCursor {
  readonly offset: number;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

const PASSES = 'the cursor passes only what was acknowledged';

export class CursorCheck {
  readonly #world: World;
  readonly #disk: Disk;
  readonly #directory: string;
  /** Readings by rising offset, those first that no cursor has passed. */
  readonly #lines: Line[] = [];
  #checked = 0;
  /** Everything below was found published. */
  #passed = 0;
  #life: Life | undefined;
  #written = 0;
  /** The highest that was ever surely on the disk. */
  #saved = 0;
  damaged = false;

  constructor(world: World, disk: Disk, directory: string) {
    this.#world = world;
    this.#disk = disk;
    this.#directory = directory;
  }

  begun(life: Life): void {
    this.#life = life;
    this.#written = 0;
  }

  line(offset: number, held: Held): void {
    const lines = this.#lines;
    // What a failed sync left on the disk may be older than a cursor: a newer line holds the same.
    if (offset < this.#passed) return;
    let at = lines.length;
    while (at > this.#checked && lines[at - 1].offset > offset) at--;
    lines.splice(at, 0, { offset, held });
  }

  written(_file: Inode, life: Life, source: Uint8Array): void {
    const cursor = readCursor(Buffer.from(source.buffer, source.byteOffset, source.length));
    if (cursor === undefined || life !== this.#life) return;
    const { offset, ranges } = cursor;
    if (offset < this.#written) this.#fail('a cursor never falls back', `from ${this.#written} to ${offset}`);
    // One file is whole while the other is written.
    if (offset < this.#saved && !this.damaged && this.#sound)
      this.#fail(
        'a saved cursor outlives the process',
        `${this.#saved} was on the disk, ${offset} is taken up`,
      );
    this.#written = offset;
    this.passes(offset, PASSES);
    this.#passesRanges(ranges);
  }

  settled(file: Inode): void {
    if (file.durableLinks > 0 && file.isSynced)
      this.#saved = Math.max(this.#saved, readCursor(file.durable)?.offset ?? 0);
  }

  /** Nothing but power cuts stands between what is on the disk and what is taken up. */
  get #sound(): boolean {
    return !UNSOUND.some(kind => this.#world.faults.has(kind));
  }

  /** Everything below `offset` must have been published. */
  passes(offset: number, guarantee: string): void {
    if (offset <= this.#passed) return;
    const lines = this.#lines;
    for (; this.#checked < lines.length && lines[this.#checked].offset < offset; this.#checked++) {
      const line = lines[this.#checked];
      const { held } = line;
      // A later copy still has to be passed.
      if (held.published || held.destroyed || held.highest >= offset) continue;
      this.#fail(guarantee, `${held.key} at ${line.offset} was not, and the place is ${offset}`);
    }
    this.#passed = offset;
  }

  /** What has been passed above the offset, `to` not included. */
  #passesRanges(ranges: readonly (readonly [from: number, to: number])[]): void {
    const last = ranges.at(-1)?.[1] ?? 0;
    for (let i = this.#checked; i < this.#lines.length && this.#lines[i].offset < last; i++) {
      const { offset, held } = this.#lines[i];
      const range = ranges.find(([from, to]) => from <= offset && offset < to);
      if (range === undefined || held.published || held.destroyed || held.highest > offset) continue;
      this.#fail(PASSES, `${held.key} at ${offset} was not, and lies within ${range.join('-')}`);
    }
  }

  /** The highest offset that a cursor on the disk has said. */
  durable(): number {
    // What was on it counts although it may have rotted since: the process knows it.
    let highest = this.#saved;
    for (const file of this.#disk.files()) {
      if (file.directory?.path !== this.#directory || file.durableLinks === 0) continue;
      highest = Math.max(highest, readCursor(file.durable)?.offset ?? 0);
    }
    return highest;
  }

  #fail(what: string, details: string): void {
    this.#world.fail(new Violation(what, details));
  }
}

/** undefined: no whole cursor. */
function readCursor(bytes: Buffer): SavedCursor | undefined {
  const text = bytes.toString('latin1').trimEnd();
  const at = text.lastIndexOf(',"c":"');
  if (at < 0) return undefined;
  const sum = crc32(Buffer.from(text.slice(0, at), 'latin1'))
    .toString(16)
    .padStart(8, '0');
  if (text.slice(at) !== `,"c":"${sum}"}`) return undefined;
  return JSON.parse(text);
}
