/** A subscriber's state: `StateFile.open` with `Memory`, over any file. */
import { crc32 } from 'node:zlib';
import type { Log } from '../../host/ports.js';
import { MAX_EPOCHS, MAX_GAPS, MAX_RANGES } from '../../host/subscriber/history.js';
import { Memory } from '../../host/subscriber/memory.js';
import { StateFile } from '../../host/subscriber/state-file.js';
import { alteredText } from './alter.js';
import { ensure, mutated, type Target } from './core.js';
import { MemoryStorage } from './memory-storage.js';
import { type Dice, words } from './mutate.js';

const LIMITS = { maxCount: 5, maxBytes: 200 };
const DEVICES = ['0011223344556677', 'ffeeddccbbaa9988', '00000000000000aa'];

const memoryOf = () =>
  new Memory(
    LIMITS,
    () => undefined,
    () => [0, 0],
  );

/** Lines that a subscriber writes: what happened, and now and then a snapshot of it. */
function lines(dice: Dice): string[] {
  const memory = memoryOf();
  const found: unknown[] = [];
  for (let n = dice.below(12); n > 0; n--) {
    const device = dice.pick(DEVICES);
    const epoch = dice.below(3);
    const seq = dice.oneIn(10) ? dice.uint() : dice.below(12);
    const what = dice.below(12);
    if (what < 3) memory.hold(device, dice.text(5), dice.bytes(dice.below(60)));
    else if (what === 3) memory.release(dice.below(4));
    else if (what === 4) memory.missBefore(device);
    else if (what === 5) for (const gap of memory.history.gapsOf(device)) memory.giveUp(gap);
    else {
      memory.take({
        ok: true,
        device,
        name: '',
        epoch,
        seq,
        tag8: '',
        prev8: '',
        kind: dice.oneIn(6) ? 3 : 0,
        unixMs: -1,
        sdk: device === DEVICES[2],
        records: [],
      });
    }
    if (dice.oneIn(2)) found.push(...memory.drain());
  }
  found.push(...memory.drain());
  const snapshot = dice.oneIn(2) ? [...memory.snapshot()] : [];
  return [{ state: 1, generation: 1 }, ...snapshot, { end: 1 }, ...found].map(line => JSON.stringify(line));
}

const WORDS = words(
  '{"d":"0011223344556677","k":0,"f":0,"t":null,"e":[],"g":[]}\n',
  '{"r":[["0011223344556677",1,0,9007199254740992,0,0]]}\n',
  '{"h":[1,"0011223344556677","s","AAAA"]}\n',
  '{"u":[1]}\n',
  '{"x":["0011223344556677",0,0,9,9]}\n',
  '{"b":["0011223344556677",0,0]}\n',
  '{"end":1}\n',
  '{"state":1}\n',
  '\n',
  '[',
  ']',
  '{',
  '"',
  ',',
  'null',
  '-1',
  '0.5',
  '1e99',
  '9007199254740991',
  '"__proto__"',
  [0xff],
);

const KEYS = ['d', 'k', 'f', 't', 'e', 'g', 'r', 'b', 'x', 'h', 'u', 'state', 'end', ...DEVICES];

/** A file of these lines, one of them altered at times, their checksums right but for one in many. */
function file(text: Uint8Array, dice: Dice): Buffer {
  const wrong = dice.oneIn(4) ? dice.below(12) : -1;
  const all = Buffer.from(text).toString('utf8').split('\n');
  const last = dice.oneIn(3) ? (all.pop() ?? '') : '';
  if (all.length > 0 && dice.oneIn(2)) {
    const at = dice.below(all.length);
    all[at] = alteredText(all[at], dice, KEYS) ?? all[at];
  }
  const sealed = all.map(
    (line, i) => `${((crc32(line) ^ (i === wrong ? 1 : 0)) >>> 0).toString(16).padStart(8, '0')} ${line}\n`,
  );
  return Buffer.from(sealed.join('') + last);
}

interface Opened {
  readonly memory: Memory;
  readonly text: string;
  readonly damaged: number;
}

async function open(storage: MemoryStorage): Promise<Opened> {
  let damaged = 0;
  const none = () => undefined;
  const log: Log = { debug: none, info: none, warn: none, error: () => void damaged++ };
  const memory = memoryOf();
  const state = await StateFile.open({ storage, log }, '/s', memory);
  await state.close();
  return { memory, text: [...memory.snapshot()].map(line => JSON.stringify(line)).join('\n'), damaged };
}

const files = mutated('any files: the state opens, within its limits, and opens the same again', {
  pool: dice => Array.from({ length: 150 }, () => Buffer.from(`${lines(dice).join('\n')}\n`)),
  words: WORDS,
  mixed: true,
  waits: true,
  async check(text, dice) {
    const storage = new MemoryStorage();
    storage.files.set('/s/state-0000000007.jsonl', dice.oneIn(10) ? text : file(text, dice));
    if (dice.oneIn(4))
      storage.files.set('/s/state-0000000006.jsonl', file(Buffer.from(lines(dice).join('\n')), dice));
    if (dice.oneIn(10))
      storage.files.set(`/s/state-${dice.pick(['9999999999', '0000000005', '1'])}.jsonl`, text);
    const first = await open(storage);
    const { history, held } = first.memory;
    ensure(held.size <= LIMITS.maxCount, `${held.size} held`);
    let bytes = 0;
    for (const one of held.list()) bytes += one.bytes.length;
    ensure(bytes <= LIMITS.maxBytes, `${bytes} bytes held`);
    for (const { d, e, g } of history.snapshot()) {
      ensure(e.length <= MAX_EPOCHS && g.length <= MAX_GAPS, `${e.length} epochs, ${g.length} gaps of ${d}`);
      for (const epoch of e) ensure(epoch.length <= 2 + 2 * MAX_RANGES, `${epoch.length} ends of ranges`);
    }
    const again = await open(storage);
    ensure(again.damaged === 0, 'what was written is damaged');
    ensure(again.text === first.text, `reads\n${first.text}\nand then\n${again.text}`);
    ensure(storage.reads <= 8, `${storage.reads} reads`);
    // What was held is let go whole.
    for (const { number } of held.list()) held.remove(number);
    for (const device of DEVICES) ensure(!held.has(device), `still has ${device}`);
    return first.damaged === 0 && first.text !== '';
  },
});

export const state: Target = { name: 'state', properties: [files], slowness: 8 };
