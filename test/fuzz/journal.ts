/** Lines of a segment, and segments line by line: `LineReader`, `Scanner`, `readHeader`, `readMarks`. */
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import {
  type DevicePosition,
  MAX_LINK_CHARS,
  MAX_OFFSET,
  MAX_PAYLOAD_BYTES,
} from '../../host/journal/entry.js';
import { type Line, LineReader } from '../../host/journal/line-reader.js';
import {
  headerText,
  LineWriter,
  MARK_BYTES,
  MAX_LINE_BYTES,
  writeMark,
} from '../../host/journal/line-writer.js';
import { segmentFirst, segmentName } from '../../host/journal/names.js';
import { encodeSdkPayload, payloadTag8 } from '../../host/journal/payload.js';
import { type Scanned, Scanner } from '../../host/journal/scanner.js';
import { readHeader, readMarks } from '../../host/journal/segment.js';
import { alteredText } from './alter.js';
import { ensure, made, mutated, same, type Target } from './core.js';
import { MemoryStorage } from './memory-storage.js';
import { type Dice, words } from './mutate.js';
import { sdkFrame } from './sdk.js';
import { sealed } from './values.js';

const writer = new LineWriter();
const space = Buffer.alloc(2 * MAX_LINE_BYTES);
const LINKS = ['tcp:192.0.2.7', 'serial:/dev/ttyACM0', 'mqtt:"ü\\ \u{1f600}\n', ''];
const hex16 = (dice: Dice) => Buffer.from(dice.bytes(8)).toString('hex');
const place = (dice: Dice): [number, number] => [dice.uint(), dice.uint()];
const offset = (dice: Dice) => Math.min(dice.uint(), MAX_OFFSET);
const gatewayName = (dice: Dice) => `gw-${hex16(dice)}`;
const previous = (dice: Dice) => ({ first: offset(dice), last: offset(dice), bytes: dice.uint() });

function position(dice: Dice): DevicePosition {
  return {
    epoch: dice.uint(),
    seq: dice.uint(),
    tag8: dice.oneIn(4) ? '' : hex16(dice),
    final: dice.oneIn(2),
    readings: dice.uint(),
    gaps: dice.uint(),
  };
}

/** The bytes of a line with its line feed, as the writer has them. */
export function written(line: Line): Buffer {
  if (line.kind === 'mark') {
    writeMark(space, 0, line.synced);
    return Buffer.from(space.subarray(0, MARK_BYTES));
  }
  if (line.kind === 'header') {
    const count = { size: line.devices, [Symbol.iterator]: () => [][Symbol.iterator]() };
    return headerText(
      line.first,
      line.at,
      line.previous ?? null,
      count as unknown as ReadonlyMap<string, never>,
    );
  }
  if (line.kind === 'device') {
    const text = headerText(1, 0, null, new Map([[line.device, line.position]])).toString('latin1');
    return Buffer.from(text.slice(text.indexOf('\n') + 1), 'latin1');
  }
  return Buffer.from(space.subarray(0, writer.entry(space, 0, line.offset, line)));
}

function anyLine(dice: Dice): Line {
  switch (dice.below(8)) {
    case 0:
      return { kind: 'mark', synced: dice.below(2 ** 31) };
    case 1:
      return {
        kind: 'header',
        first: offset(dice),
        at: dice.uint(),
        previous: dice.oneIn(2) ? undefined : previous(dice),
        devices: dice.below(100),
      };
    case 2:
      return { kind: 'device', device: hex16(dice), position: position(dice) };
    case 3:
      return {
        kind: 'gap',
        at: dice.uint(),
        link: dice.pick(LINKS),
        device: hex16(dice),
        from: place(dice),
        to: place(dice),
        offset: offset(dice),
      };
    case 4:
      return {
        kind: 'handover',
        at: dice.uint(),
        from: gatewayName(dice),
        to: gatewayName(dice),
        backupAt: dice.uint(),
        next: offset(dice),
        offset: offset(dice),
      };
    default:
      return {
        kind: 'reading',
        at: dice.uint(),
        link: dice.oneIn(6) ? dice.text(MAX_LINK_CHARS / 2) : dice.pick(LINKS),
        device: hex16(dice),
        epoch: dice.uint(),
        seq: dice.uint(),
        bytes: payload(dice),
        tag8: '',
        final: dice.oneIn(4),
        offset: offset(dice),
      };
  }
}

function payload(dice: Dice): Uint8Array {
  if (dice.oneIn(3)) return dice.bytes(1 + dice.below(100));
  return dice.oneIn(3) ? encodeSdkPayload('n', dice.uint(), sdkFrame(dice)) : sealed(dice, 1)[0].bytes;
}

/** Ends a line's body with the right checksum, without its line feed. */
function withChecksum(body: Uint8Array): Buffer {
  return Buffer.concat([body, Buffer.from(`,"c":"${crc32(body).toString(16).padStart(8, '0')}"}`)]);
}

const BODY_END = 17;
const WORDS = words(
  '{"o":',
  ',"t":',
  ',"l":"',
  ',"d":"',
  '","e":',
  ',"q":',
  ',"f":1',
  ',"b":"',
  ',"from":[0,1]',
  ',"to":[1,0]',
  '"handover":{"from":"a","to":"b"',
  '{"s":',
  '{"journal":1',
  ',"prev":null',
  ',"devices":',
  ',"g":"',
  ',"c":"00000000"}',
  '\\u0000',
  '\\"',
  '"',
  '\n',
  ' ',
  '0',
  '-',
  '.5',
  '1e3',
  '=',
  '9007199254740991',
  '9007199254740993',
  '00',
  [0xff],
  [0xc3, 0xbc],
);

const KEYS = [
  'o',
  't',
  'l',
  'd',
  'e',
  'q',
  'f',
  'b',
  's',
  'g',
  'n',
  'm',
  'from',
  'to',
  'handover',
  'at',
  'next',
  'journal',
  'prev',
  'devices',
  'x',
];
const seasoned = new LineReader();

const lines = mutated('any line with a right checksum is refused, or is what the writer makes of it', {
  pool: dice =>
    Array.from({ length: 200 }, () => {
      const line = written(anyLine(dice));
      return line.subarray(0, line.length - BODY_END);
    }),
  words: WORDS,
  mixed: true,
  check(given, dice) {
    // Half of the time the values of the line are altered, not its bytes.
    const other = dice.oneIn(2) && alteredText(`${Buffer.from(given).toString('latin1')}}`, dice, KEYS);
    const body = other ? Buffer.from(other.slice(0, -1), 'latin1') : given;
    const line = withChecksum(body);
    // Other lines around it, as in a file.
    const before = dice.below(50);
    const around = Buffer.alloc(
      before + line.length + 60,
      dice.pick(['"', ',"d":"0011223344556677"', '\n', '9']),
    );
    line.copy(around, before);
    const read = new LineReader().parse(around, before, before + line.length);
    const again = seasoned.parse(line, 0, line.length);
    ensure(isDeepStrictEqual(read, again), 'what was read before changes what is read');
    if (read === undefined) return false;
    if (read.kind === 'reading') {
      ensure(read.bytes.length <= MAX_PAYLOAD_BYTES, `a payload of ${read.bytes.length} bytes`);
      ensure(read.tag8 === payloadTag8(read.bytes), 'another tag');
    }
    ensure(same(written(read).subarray(0, -1), line), `is written as ${written(read)}`);
    return true;
  },
});

interface Piece {
  readonly at: number;
  readonly bytes: number;
  readonly what: Scanned;
}

async function scan(content: Uint8Array, bufferBytes: number): Promise<Piece[]> {
  const storage = new MemoryStorage();
  storage.files.set('/s', content);
  const file = await storage.open('/s', 'read');
  const scanner = new Scanner(file, new LineReader(), 0, content.length, bufferBytes);
  const pieces: Piece[] = [];
  while (await scanner.fill()) {
    for (let what = scanner.take(); what !== undefined; what = scanner.take()) {
      pieces.push({ at: scanner.at, bytes: scanner.bytes, what });
      ensure(pieces.length <= content.length, 'more lines than bytes');
      ensure(
        same(scanner.copy(100), content.subarray(scanner.at, scanner.at + Math.min(scanner.bytes, 100))),
        'another copy',
      );
    }
  }
  ensure(storage.reads <= 2 + content.length / 1000, `${storage.reads} reads`);
  ensure(scanner.bytesRead === content.length, `${scanner.bytesRead} bytes read of ${content.length}`);
  return pieces;
}

/** What a segment of random lines has: header, devices, then marks and entries. */
function segment(dice: Dice): Buffer {
  const devices = new Map(
    Array.from({ length: dice.below(3) }, () => [hex16(dice), position(dice)] as const),
  );
  const parts: Uint8Array[] = [headerText(7, dice.uint(), dice.oneIn(3) ? null : previous(dice), devices)];
  for (let n = dice.below(6); n > 0; n--) parts.push(written(anyLine(dice)));
  return Buffer.concat(parts);
}

const segments = mutated(
  'any file: every byte belongs to one line, and sound lines around damage are found',
  {
    pool: dice => Array.from({ length: 80 }, () => segment(dice)),
    words: [...WORDS, ...words('{"s":             0,"c":"00000000"}\n', '       ')],
    maxBytes: 6000,
    waits: true,
    async check(content, dice) {
      // Now and then larger than the smallest buffer that the scanner takes.
      const large = dice.oneIn(200);
      const filling = Buffer.alloc(large ? dice.below(60_000) : 0, dice.pick([' ', '\n', '{', ',"c":"']));
      const file = large ? Buffer.concat([segment(dice), filling, content]) : content;
      const pieces = await scan(file, 0);
      let at = 0;
      for (const piece of pieces) {
        ensure(piece.at === at && piece.bytes > 0, `a piece at ${piece.at}, not ${at}`);
        at += piece.bytes;
        if (typeof piece.what !== 'object') continue;
        const line = written(piece.what);
        ensure(
          same(file.subarray(piece.at, piece.at + line.length - 1), line.subarray(0, -1)),
          'a line that is not there',
        );
        ensure(Math.abs(piece.bytes - line.length) <= 1, 'a line of another length');
      }
      ensure(at === file.length, `the pieces end at ${at}`);
      if (large) {
        // A smaller buffer may chance to begin anew where a line begins; it never misses one.
        const found = new Set(pieces.map(piece => piece.at));
        for (const { at, what } of await scan(file, 1 << 20))
          ensure(typeof what !== 'object' || found.has(at), `only a larger buffer finds the line at ${at}`);
      }
      return pieces.some(piece => typeof piece.what === 'object');
    },
  },
);

const headers = mutated('any file under any name: its header or none, its marks or 0', {
  pool: dice => Array.from({ length: 80 }, () => segment(dice)),
  words: WORDS,
  maxBytes: 3000,
  waits: true,
  async check(content, dice) {
    const first = dice.oneIn(8) ? dice.uint() : 7;
    const storage = new MemoryStorage();
    storage.files.set(`/j/${segmentName(first)}`, content);
    const header = await readHeader(storage, '/j', first);
    ensure(header === undefined || header.first === first, 'the header of another segment');
    const file = await storage.open(`/j/${segmentName(first)}`, 'read');
    const { synced, missingBytes } = await readMarks(file, new LineReader());
    ensure(synced >= 0 && synced <= content.length, `${synced} bytes are synced of ${content.length}`);
    ensure(Number.isSafeInteger(missingBytes) && missingBytes >= 0, `${missingBytes} bytes are missing`);
    // Its line feed may be damaged.
    const line = header && written(header).subarray(0, -1);
    if (line) ensure(same(line, content.subarray(0, line.length)), 'another header');
    return header !== undefined || first !== 7;
  },
});

const names = mutated('any name of a file: a segment’s, which makes it again, or another’s', {
  pool: dice => Array.from({ length: 40 }, () => Buffer.from(segmentName(1 + offset(dice)))),
  mixed: true,
  words: words('0', '9', '.jsonl', '.', '-', ' ', '\n'),
  maxBytes: 60,
  check(bytes) {
    const name = Buffer.from(bytes).toString('utf8');
    const first = segmentFirst(name);
    if (first === undefined) return false;
    ensure(first > 0 && first <= MAX_OFFSET && segmentName(first) === name, `first ${first}`);
    return true;
  },
});

/** One byte of a segment changed: a line costs itself alone, a line feed nothing. */
const damage = made('a changed byte costs at most its line', async dice => {
  const all = Array.from({ length: 2 + dice.below(5) }, () => written(anyLine(dice)));
  const file = Uint8Array.from(Buffer.concat(all));
  const at = dice.oneIn(3) ? all[0].length - 1 : dice.below(file.length);
  const by = dice.oneIn(4) ? 0x0a : dice.below(256);
  const unchanged = file[at] === by;
  file[at] = by;
  const pieces = await scan(file, 0);
  const found = new Set(pieces.flatMap(piece => (typeof piece.what === 'object' ? [piece.at] : [])));
  let begin = 0;
  for (const line of all) {
    const end = begin + line.length;
    const hit = !unchanged && at >= begin && at < end - 1;
    // A line feed that became a brace may be the begin of the next line.
    const brace = by === 0x7b && begin === at + 1;
    ensure(found.has(begin) || hit || (brace && found.has(at)), `the line at ${begin} is not found`);
    begin = end;
  }
});

export const journal: Target = {
  name: 'journal',
  properties: [lines, segments, damage, headers, names],
  slowness: 2,
};
