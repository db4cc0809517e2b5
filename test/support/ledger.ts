/**
 * Holds what devices were receipted against what the subscriber printed and said: nothing receipted is lost, altered
 * or printed twice, and what is missing was reported.
 */

/** One line of `simulate --json`, and the part of a line of `subscribe --json` that it can be held against. */
export interface Sealed {
  device: string;
  epoch: number;
  seq: number;
  sha256: string;
}

/** A gap as the subscriber words it: from a place up to another one, which is not included. */
export interface SaidGap {
  readonly stage: string;
  readonly device: string;
  readonly from: readonly [epoch: number, seq: number];
  readonly to: readonly [epoch: number, seq: number];
  readonly text: string;
}

export class Ledger {
  readonly #receipted = new Map<string, Sealed>();
  readonly #printed = new Map<string, string>();
  readonly #lastReceipt = new Map<string, Sealed>();
  readonly #lastPrint = new Map<string, Sealed>();
  readonly #missing = new Set<string>();
  /** What can't be: a reading receipted twice, after one that was not, or under two digests. */
  readonly contradictions: string[] = [];
  /** Gaps that the subscriber called final. */
  readonly lost: SaidGap[] = [];
  /** Gaps that it noticed, whatever became of them. */
  readonly noticed: SaidGap[] = [];
  /** What a subscriber of honest devices has no reason to say. */
  readonly alarms: string[] = [];
  repeats = 0;
  /** Readings printed after a later one of their device. */
  late = 0;
  /** Lines that a kill cut off. */
  torn = 0;

  get receipted(): number {
    return this.#receipted.size;
  }

  get printed(): number {
    return this.#printed.size;
  }

  /** A line of `simulate --json`. */
  receipt(line: string): void {
    const sealed = this.#parse(line);
    if (sealed === undefined) return;
    const { device, epoch, seq, sha256 } = sealed;
    const key = keyOf(sealed);
    if (this.#receipted.has(key)) this.contradictions.push(`receipted twice: ${key}`);
    const last = this.#lastReceipt.get(device);
    const next = last === undefined || (last.epoch === epoch ? seq === last.seq + 1 : epoch > last.epoch);
    if (!next) this.contradictions.push(`receipted ${key} after ${keyOf(last)}`);
    this.#lastReceipt.set(device, sealed);
    this.#receipted.set(key, sealed);
    if (this.#printed.get(key) !== sha256) this.#missing.add(key);
  }

  /** The devices were killed: what they were receipted last may never have been said. */
  devicesKilled(): void {
    this.#lastReceipt.clear();
  }

  /** A line of `subscribe --json`. */
  print(line: string): void {
    const sealed = this.#parse(line);
    if (sealed === undefined) return;
    const key = keyOf(sealed);
    const before = this.#printed.get(key);
    if (before !== undefined) {
      this.repeats++;
      if (before !== sealed.sha256) this.contradictions.push(`printed with two digests: ${key}`);
    }
    const last = this.#lastPrint.get(sealed.device);
    if (last !== undefined && isBefore(placeOf(sealed), placeOf(last))) this.late++;
    else this.#lastPrint.set(sealed.device, sealed);
    this.#printed.set(key, sealed.sha256);
    if (this.#receipted.get(key)?.sha256 === sealed.sha256) this.#missing.delete(key);
  }

  /** A line of the subscriber's standard error. */
  say(line: string): void {
    const gap = parseGap(line);
    if (gap?.stage === 'provisional') this.noticed.push(gap);
    else if (gap?.stage === 'final') this.lost.push(gap);
    else if (gap === undefined && ALARM.test(line)) this.alarms.push(line);
  }

  /** Receipted and not printed, or printed with other bytes. */
  missing(): string[] {
    return [...this.#missing];
  }

  /** Receipted readings that `held`, by key with its digest, does not have like that. */
  absentFrom(held: ReadonlyMap<string, string>): string[] {
    return [...this.#receipted.values()]
      .filter(sealed => held.get(keyOf(sealed)) !== sealed.sha256)
      .map(keyOf);
  }

  #parse(line: string): Sealed | undefined {
    try {
      return JSON.parse(line) as Sealed;
    } catch {
      this.torn++;
      return undefined;
    }
  }
}

/** `device/epoch/seq` */
export function keyOf({ device, epoch, seq }: Omit<Sealed, 'sha256'> = NOTHING): string {
  return `${device}/${epoch}/${seq}`;
}

const NOTHING = { device: 'nothing', epoch: -1, seq: -1 };

type Place = readonly [epoch: number, seq: number];
const placeOf = ({ epoch, seq }: Sealed): Place => [epoch, seq];
const isBefore = (a: Place, b: Place) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

const ALARM = /^(refused|FORK|held)|^\S+Z error |^\w*Error: |^ {4}at /;

/** A gap as `host/subscriber/report.ts` words it; undefined when the line speaks of something else. */
export function parseGap(line: string): SaidGap | undefined {
  const [, stage, device, text] = /^gap \((\w+)\): ([0-9a-f]{16}):? (.*)$/.exec(line) ?? [];
  if (stage === undefined || device === undefined || text === undefined) return undefined;
  const number = (pattern: RegExp) => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const epoch = number(/epoch (\d+)/);
  if (epoch === undefined) throw new Error(`a gap in other words: ${line}`);
  const first = number(/readings? (\d+)(?: to \d+)? missing/);
  if (first !== undefined) {
    const last = number(/readings? \d+ to (\d+) missing/) ?? first;
    return { stage, device, from: [epoch, first], to: [epoch, last + 1], text: line };
  }
  const after = number(/after reading (\d+)/);
  const before = /before reading (\d+) of epoch (\d+)/.exec(text);
  const upTo = number(/up to (\d+)/);
  const to: Place = before ? [Number(before[2]), Number(before[1])] : [upTo ?? epoch + 1, 0];
  return { stage, device, from: [epoch, after === undefined ? 0 : after + 1], to, text: line };
}
