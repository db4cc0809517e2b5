/** The two files of a cursor: `decodeSlot`, and `Cursor.open` over whatever they hold. */
import { crc32 } from 'node:zlib';
import { Cursor, decodeSlot, MAX_RANGES } from '../../host/journal/cursor.js';
import { MAX_OFFSET } from '../../host/journal/entry.js';
import { alteredText } from './alter.js';
import { ensure, mutated, same, type Target } from './core.js';
import { MemoryStorage } from './memory-storage.js';
import { type Dice, words } from './mutate.js';

const SLOT_BYTES = 512;

function body(generation: number, offset: number, ranges: readonly (readonly [number, number])[]): string {
  return `{"cursor":1,"generation":${generation},"offset":${offset},"ranges":${JSON.stringify(ranges)}`;
}

/** The bytes of a file around a body, with its checksum, blanks and line feed. */
function slot(text: Uint8Array): Buffer {
  const end = Buffer.from(`,"c":"${crc32(text).toString(16).padStart(8, '0')}"}`);
  const bytes = Buffer.alloc(Math.max(SLOT_BYTES, text.length + end.length + 1), 0x20);
  bytes.set(text);
  bytes.set(end, text.length);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

function anyBody(dice: Dice): Buffer {
  const offset = Math.min(dice.uint(), MAX_OFFSET - 2 ** 40);
  const ranges: [number, number][] = [];
  for (let n = dice.below(MAX_RANGES + 1), at = offset; n > 0; n--) {
    const from = at + 1 + dice.below(1000);
    at = from + 1 + dice.below(1000);
    ranges.push([from, at]);
  }
  return Buffer.from(body(dice.below(2 ** 31), offset, ranges));
}

const WORDS = words(
  '{"cursor":1',
  ',"generation":',
  ',"offset":',
  ',"ranges":[',
  '[1,2],',
  '[2,1]',
  '[4503599627370497,9007199254740991]',
  ']',
  ',"c":"00000000"}',
  '-',
  '0',
  '.0',
  'e3',
  ' ',
  '\n',
  'null',
  '"__proto__":{}',
  [0xa0],
  [0xff],
);

interface Content {
  readonly generation: number;
  readonly offset: number;
  readonly ranges: readonly (readonly [number, number])[];
}

function checked(bytes: Uint8Array): Content | undefined {
  const read = decodeSlot(bytes);
  if (read === undefined) return undefined;
  const { generation, offset, ranges } = read;
  ensure(same(slot(Buffer.from(body(generation, offset, ranges))), bytes), 'is written otherwise');
  ensure(ranges.length <= MAX_RANGES, `${ranges.length} ranges`);
  let last = offset;
  for (const [from, to] of ranges) {
    ensure(from > last && to > from && to <= MAX_OFFSET, `ranges ${JSON.stringify(ranges)} above ${offset}`);
    last = to;
  }
  ensure(offset >= 0 && last <= MAX_OFFSET, `offset ${offset}`);
  return read;
}

const slots = mutated('any body with a right checksum is refused, or is a place that is written the same', {
  pool: dice => Array.from({ length: 100 }, () => anyBody(dice)),
  words: WORDS,
  maxBytes: 480,
  mixed: true,
  check(text, dice) {
    const other =
      dice.oneIn(2) &&
      alteredText(`${Buffer.from(text)}}`, dice, ['cursor', 'generation', 'offset', 'ranges']);
    return checked(slot(other ? Buffer.from(other.slice(0, -1)) : text)) !== undefined;
  },
});

const files = mutated('any file is refused, or is a place that is written the same', {
  pool: dice => Array.from({ length: 100 }, () => slot(anyBody(dice))),
  words: WORDS,
  maxBytes: 700,
  check: bytes => checked(bytes) !== undefined,
});

const opened = mutated('any two files: a cursor at the newer sound place, which moves on', {
  pool: dice => Array.from({ length: 100 }, () => anyBody(dice)),
  words: WORDS,
  maxBytes: 480,
  waits: true,
  async check(text, dice) {
    const storage = new MemoryStorage();
    const other = dice.oneIn(3) ? dice.bytes(dice.below(600)) : slot(anyBody(dice));
    const pair = [dice.oneIn(8) ? Buffer.from(text) : slot(text), other];
    if (dice.oneIn(2)) pair.reverse();
    for (const [i, name] of ['a', 'b'].entries())
      if (!dice.oneIn(10)) storage.files.set(`/c/x.${name}`, pair[i]);
    const sound = [...storage.files.values()].flatMap(bytes => decodeSlot(bytes.slice(0, SLOT_BYTES)) ?? []);
    if (sound.some(one => one.generation > Number.MAX_SAFE_INTEGER - 10)) return true;
    sound.sort((a, b) => b.generation - a.generation);
    const cursor = await Cursor.open(storage, '/c', 'x');
    const want = sound[0]?.offset ?? 0;
    ensure(
      cursor.offset === want ||
        (sound[1]?.generation === sound[0]?.generation && sound[1]?.offset === cursor.offset),
      `at ${cursor.offset}, not ${want}`,
    );
    ensure(cursor.end >= cursor.offset && cursor.end <= MAX_OFFSET, `end ${cursor.end}`);
    const next = cursor.end + 1;
    await cursor.save(next, [[next + 5, next + 9]]);
    await cursor.close();
    const again = await Cursor.open(storage, '/c', 'x');
    ensure(again.offset === next && again.end === next + 9, `saved ${next}, found ${again.offset}`);
    await again.close();
    return sound.length > 0;
  },
  mixed: true,
});

export const cursor: Target = { name: 'cursor', properties: [slots, files, opened] };
