/** Random values for the writers. */
import type { CborValue, Mac } from '../../firmware/seal/index.js';
import { label, Sealer } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import type { Dice } from './mutate.js';

export function number(dice: Dice): number {
  switch (dice.below(6)) {
    case 0:
    case 1:
      return dice.uint();
    case 2:
      return -1 - Math.min(dice.uint(), Number.MAX_SAFE_INTEGER - 1);
    case 3:
      return finite(dice.below(4096) / 64 - 32);
    case 4:
      return finite(Math.fround((dice.bits() - 2 ** 31) / 2 ** dice.below(60)));
    default:
      return finite(new Float64Array(new Uint32Array([dice.bits(), dice.bits()]).buffer)[0]);
  }
}

/** -0, NaN, infinities and what is beyond 2^53 have no encoding. */
function finite(value: number): number {
  return value !== 0 && Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : 0;
}

export function cborValue(dice: Dice, depth = 0): CborValue {
  const kind = dice.below(depth < 4 ? 10 : 6);
  if (kind < 2) return number(dice);
  if (kind === 2) return dice.oneIn(2);
  if (kind === 3) return dice.text(dice.oneIn(10) ? 300 : 12);
  if (kind === 4) return dice.bytes(dice.below(dice.oneIn(10) ? 300 : 12));
  if (kind === 5) return null;
  const size = dice.below(5);
  if (kind < 8) return Array.from({ length: size }, () => cborValue(dice, depth + 1));
  const map = new Map<CborValue, CborValue>();
  // Keys of one kind, so that none stands twice but as the same key of the map.
  for (let i = 0; i < size; i++)
    map.set(dice.oneIn(2) ? dice.below(40) : dice.text(3), cborValue(dice, depth + 1));
  return map;
}

/** A key for all MACs of a run: readers are told apart by what they take, not by keys. */
export const MAC: Mac = nodeDigest.hmac(new Uint8Array(32).fill(7));
/** Costs nothing; for readers that are not asked to verify. */
export const FREE_MAC: Mac = {
  compute(data, from, to, out, at) {
    for (let i = 0; i < 32; i++) out[at + i] = data[from + ((i * 7) % (to - from))] ^ i;
  },
};
const FREE_DIGEST = { ...nodeDigest, hmac: () => FREE_MAC };

const LABELS = [label('temperature', 'Cel'), label('v'), label('a/b:c_d.e-f', '%RH'), label('0')];

export interface Sealed {
  readonly id: Uint8Array;
  readonly epoch: number;
  readonly seq: number;
  readonly uptimeMs: number;
  readonly unixMs: number;
  readonly kind: number;
  readonly records: number;
  readonly bytes: Uint8Array;
}

/** Envelopes of one device, one after another. */
export function sealed(dice: Dice, count: number): Sealed[] {
  const id = dice.bytes(8);
  const sealer = new Sealer(FREE_DIGEST, id, 2048);
  const epoch = dice.uint();
  sealer.startEpoch(epoch, new Uint8Array(32));
  const list: Sealed[] = [];
  while (list.length < count) {
    const uptimeMs = dice.uint();
    const unixMs = dice.oneIn(2) ? -1 : dice.uint();
    const kind = dice.below(6);
    const seq = sealer.nextSeq;
    const records = 1 + dice.below(dice.oneIn(8) ? 23 : 3);
    const writer = sealer.begin(uptimeMs, unixMs, kind);
    for (let i = 0; i < records; i++) {
      const one = dice.pick(LABELS);
      const what = dice.below(5);
      if (what < 2) writer.number(one, number(dice));
      else if (what === 2) writer.bool(one, dice.oneIn(2));
      else if (what === 3) writer.text(one, new TextEncoder().encode(dice.text(20)));
      else writer.data(one, dice.bytes(dice.below(30)));
    }
    const length = sealer.seal();
    if (length === 0) throw new Error(`not sealed: ${sealer.fault}`);
    const bytes = sealer.buffer.slice(sealer.start, sealer.start + length);
    list.push({ id, epoch, seq, uptimeMs, unixMs, kind, records, bytes });
  }
  return list;
}
