/**
 * All that a subscriber remembers, as lines of its state file:
 *
 * | line | says |
 * |---|---|
 * | `{"d":…}` | a device, in a snapshot (`DeviceSnapshot`) |
 * | `{"r":[[device, epoch, from, to, final, sdk], …]}` | readings taken, each device's in order: sequences [from, to); `final`: the last one ends the epoch |
 * | `{"b":[device, epoch, seq]}` | what came before the first reading taken of a device is wanted, from there on |
 * | `{"x":[device, fromEpoch, fromSeq, toEpoch, toSeq]}` | a gap became final |
 * | `{"h":[number, device, site, base64url]}` | an envelope of an unknown device is held |
 * | `{"u":[number, …]}` | held envelopes are held no more |
 */
import { Held, type HeldLimits } from './held.js';
import { type Gap, type GapListener, History } from './history.js';
import type { OpenedReading } from './open.js';
import { endsEpoch } from './open.js';
import type { StateModel } from './state-file.js';
import { isGap, isHeld, isNumbers, isPlace, isRuns, isSnapshot, type Run } from './state-lines.js';

export type FirstOf = (device: string) => readonly [epoch: number, seq: number] | undefined;

export class Memory implements StateModel {
  readonly history: History;
  readonly held: Held;
  readonly #firstOf: FirstOf;
  #runs: Run[] = [];
  /** The last run of each device: those of many devices come in between each other. */
  readonly #lastRuns = new Map<string, Run>();
  #lines: unknown[] = [];

  /** @param firstOf the first reading that is wanted of a device; undefined: whatever comes first */
  constructor(limits: HeldLimits, listener: GapListener, firstOf: FirstOf = () => undefined) {
    this.history = new History(listener);
    this.held = new Held(limits);
    this.#firstOf = firstOf;
  }

  take(reading: OpenedReading): ReturnType<History['take']> {
    const { device, epoch, seq, sdk } = reading;
    const final = endsEpoch(reading);
    const taken = this.history.take(device, epoch, seq, final, sdk);
    if (taken === 'new') this.#note(device, epoch, seq, final, sdk);
    return taken;
  }

  /** Wants what came before the first reading of a device. */
  missBefore(device: string): void {
    const first = this.#firstOf(device);
    if (first === undefined || this.history.missBefore(device, ...first) === undefined) return;
    this.#flushRuns();
    this.#lines.push({ b: [device, ...first] });
  }

  giveUp(gap: Gap): void {
    this.history.giveUp(gap);
    this.#flushRuns();
    this.#lines.push({ x: [gap.device, gap.fromEpoch, gap.fromSeq, gap.toEpoch, gap.toSeq] });
  }

  /** @returns how many older ones had to go */
  hold(device: string, site: string, bytes: Uint8Array): number {
    const { added, dropped } = this.held.add(device, site, Uint8Array.from(bytes));
    this.#lines.push({ h: [added.number, device, site, Buffer.from(bytes).toString('base64url')] });
    return dropped.length;
  }

  release(number: number): void {
    this.held.remove(number);
    this.#lines.push({ u: [number] });
  }

  /** The lines since the last call. */
  drain(): unknown[] {
    this.#flushRuns();
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Lines have been lost: what they said to be had may be missing. */
  damaged(): void {
    this.history.missHoles(this.#firstOf);
  }

  /** False for what is none of our lines, although its checksum was right. */
  apply(line: unknown): boolean {
    return typeof line === 'object' && line !== null && this.#apply(line as Record<string, unknown>);
  }

  *snapshot(): Iterable<unknown> {
    yield* this.history.snapshot();
    for (const { number, device, site, bytes } of this.held.list()) {
      yield { h: [number, device, site, Buffer.from(bytes).toString('base64url')] };
    }
  }

  #apply(line: Record<string, unknown>): boolean {
    const { history, held } = this;
    if (isSnapshot(line)) history.restore(line);
    else if (isRuns(line.r)) {
      for (const [device, epoch, from, to, final, sdk] of line.r) {
        for (let seq = from; seq < to; seq++) {
          history.take(device, epoch, seq, final === 1 && seq === to - 1, sdk === 1);
        }
      }
    } else if (isPlace(line.b)) history.missBefore(...line.b);
    else if (isGap(line.x)) {
      const [device, fromEpoch, fromSeq, toEpoch, toSeq] = line.x;
      history.giveUp({ device, fromEpoch, fromSeq, toEpoch, toSeq });
    } else if (isHeld(line.h)) {
      const [number, device, site, text] = line.h;
      held.add(device, site, Buffer.from(text, 'base64url'), number);
    } else if (isNumbers(line.u)) for (const number of line.u) held.remove(number);
    else return false;
    return true;
  }

  #note(device: string, epoch: number, seq: number, final: boolean, sdk: boolean): void {
    const last = this.#lastRuns.get(device);
    if (last !== undefined && last[1] === epoch && last[3] === seq && last[4] === 0) {
      last[3] = seq + 1;
      last[4] = final ? 1 : 0;
      return;
    }
    const run: Run = [device, epoch, seq, seq + 1, final ? 1 : 0, sdk ? 1 : 0];
    this.#runs.push(run);
    this.#lastRuns.set(device, run);
  }

  #flushRuns(): void {
    if (this.#runs.length === 0) return;
    this.#lines.push({ r: this.#runs });
    this.#runs = [];
    this.#lastRuns.clear();
  }
}
