/** Each device's readings in the journal: in order, linked, and where one is missing a gap says so. */
import type { GapLine, ReadingLine } from './journal-line.js';

export interface Tip {
  readonly epoch: number;
  readonly seq: number;
  readonly tag8: string;
  readonly final: boolean;
}

/** A gap may be noted again, with more in it, when the reading behind it did not become durable with it. */
const MAX_GAPS = 16;
const ZEROS = '0000000000000000';

export class Chains {
  readonly #tips: Map<string, Tip>;
  readonly #gaps = new Map<string, GapLine[]>();

  /** @param tips where each device stands */
  constructor(tips: Iterable<readonly [device: string, tip: Tip]> = []) {
    this.#tips = new Map(tips);
  }

  gap(line: GapLine): void {
    const gaps = this.#gaps.get(line.device);
    if (gaps === undefined) this.#gaps.set(line.device, [line]);
    else {
      gaps.push(line);
      if (gaps.length > MAX_GAPS) gaps.shift();
    }
  }

  /** A reading that was not there before; what is wrong with its place, or ''. */
  next(line: ReadingLine): string {
    const { device, epoch, seq, tag8, final, prev8 } = line;
    const tip = this.#tips.get(device);
    this.#tips.set(device, { epoch, seq, tag8, final });
    const wrapped = prev8 === '';
    if (!wrapped && seq === 0 && prev8 !== ZEROS) return `${device} ${epoch}:0 follows ${prev8}`;
    const name = `${device} ${epoch}:${seq}`;
    const [fromEpoch, fromSeq] = wrapped ? wrappedAfter(tip, epoch) : after(tip, epoch);
    if (tip === undefined && !wrapped && seq === 0) return '';
    if (epoch === fromEpoch && seq === fromSeq) {
      const linked = wrapped || seq === 0 || tip === undefined || prev8 === tip.tag8;
      return linked ? '' : `${name} follows ${prev8}, not ${tip.tag8}`;
    }
    if (tip !== undefined && (epoch < tip.epoch || (epoch === tip.epoch && seq <= tip.seq)))
      return `${name} after ${tip.epoch}:${tip.seq}`;
    const told = this.#gaps
      .get(device)
      ?.some(
        ({ from, to }) => from[0] === fromEpoch && from[1] === fromSeq && to[0] === epoch && to[1] === seq,
      );
    if (told) return '';
    return `${name} after ${tip === undefined ? 'nothing' : `${tip.epoch}:${tip.seq}`}, and no gap from ${fromEpoch}:${fromSeq}`;
  }
}

/** What comes next if nothing is missing. */
function after(tip: Tip | undefined, epoch: number): [number, number] {
  if (tip === undefined) return [epoch, 0];
  // Where two memories have gone apart, one goes on where the other has ended the epoch.
  return tip.final && epoch > tip.epoch ? [tip.epoch + 1, 0] : [tip.epoch, tip.seq + 1];
}

/** Each restore begins epochs of its own, above a multiple of this. */
const EPOCHS_PER_ERA = 2 ** 32;

/** The epochs of sovereign-sdk frames are the gateway's word: one begins with sequence 1 when the counter fell back. */
function wrappedAfter(tip: Tip | undefined, epoch: number): [number, number] {
  const era = Math.floor(epoch / EPOCHS_PER_ERA);
  if (era > 0 && era !== Math.floor((tip?.epoch ?? 0) / EPOCHS_PER_ERA)) return [epoch, 1];
  if (tip === undefined) return [1, 1];
  return epoch === tip.epoch ? [epoch, tip.seq + 1] : [tip.epoch + 1, 1];
}
