/**
 * Holds a subscriber to its word. What it prints was sealed, byte for byte; nothing is printed twice while its state lives;
 * whatever lies between what it has printed is a gap that it has reported; a gap that it calls closed is filled, and one that
 * it calls final is not in a journal; what is forged is reported.
 *
 * "While its state lives": what was printed since the state was last made durable may be printed again after a crash. What
 * was restored is taken from the state's own file, and must hold all that was durable and nothing that was not printed.
 */

import type { Gap } from '../../../host/subscriber/history.js';
import type { OpenedReading } from '../../../host/subscriber/open.js';
import type { Report } from '../../../host/subscriber/report.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import { nextEpoch, place, placeText, type Range, RangeSet } from './places.js';
import type { RestoredDevice, RestoredState } from './subscriber-state.js';

/** What was sealed, as the ledger has it. */
export interface SealedFact {
  readonly device: string;
  /** -1: the gateway's word. */
  readonly epoch: number;
  readonly seq: number;
  readonly final: boolean;
}

export interface DigestLedger {
  /** The reading whose bytes have this SHA-256, hex; undefined: nobody sealed it. */
  findDigest(sha256: string): SealedFact | undefined;
}

export interface HeldByJournals {
  /** A reading in the range that a journal holds durably now, as text. */
  heldBetween(
    device: string,
    fromEpoch: number,
    fromSeq: number,
    toEpoch: number,
    toSeq: number,
  ): string | undefined;
  /** Whether a gateway goes on for another one that is gone. */
  replaces?(gateway: string, from: string): boolean;
}

export interface SubscriberCounts {
  printed: number;
  /** Again, legally: after a crash, or without the state. */
  repeated: number;
  refused: number;
  forks: number;
  stale: number;
  heldDropped: number;
  gaps: Record<'provisional' | 'closed' | 'final' | 'forgotten', number>;
}

interface DeviceView {
  readonly sdk: boolean;
  /** Printed, and remembered as such. */
  readonly had: Map<number, boolean>;
  /** The furthest; -1: none. */
  top: number;
  topFinal: boolean;
  /** Reported, and neither closed nor given up. */
  readonly open: RangeSet;
  /** Given up: final, or forgotten. */
  readonly over: RangeSet;
}

export class SubscriberCheck {
  readonly name: string;
  readonly counts: SubscriberCounts = {
    printed: 0,
    repeated: 0,
    refused: 0,
    forks: 0,
    stale: 0,
    heldDropped: 0,
    gaps: { provisional: 0, closed: 0, final: 0, forgotten: 0 },
  };
  /** Somebody may say on the gateway's topics what is not true: then a final gap proves nothing. */
  statusForged = false;
  readonly #world: World;
  readonly #ledger: DigestLedger;
  readonly #journals: HeldByJournals | undefined;
  readonly #ever = new Set<SealedFact>();
  #devices = new Map<string, DeviceView>();
  /** Printed and not known to be durable, with the batch they belong to. */
  #volatile: { readonly device: DeviceView; readonly at: number; readonly batch: number }[] = [];
  #batch = 0;
  #closed: { readonly view: DeviceView; readonly from: number; readonly to: number }[] = [];
  #damaged = false;
  #refusals = 0;
  #unopened = 0;

  constructor(world: World, name: string, ledger: DigestLedger, journals?: HeldByJournals) {
    this.#world = world;
    this.name = name;
    this.#ledger = ledger;
    this.#journals = journals;
  }

  /** Whether it has ever printed this reading, over all its lives. */
  hasSealed(sealed: SealedFact): boolean {
    return this.#ever.has(sealed);
  }

  /** Whether it remembers to have printed the reading of this place. */
  has(device: string, epoch: number, seq: number): boolean {
    return this.#devices.get(device)?.had.has(place(epoch, seq)) ?? false;
  }

  /** Whether it goes on behind this reading without a word, since it has neither printed it nor told that it is missing. */
  passesOver(device: string, epoch: number, seq: number): boolean {
    const view = this.#devices.get(device);
    if (view === undefined) return false;
    const at = place(epoch, seq);
    if (view.had.has(at) || at > view.top || view.open.has(at) || view.over.has(at)) return false;
    // What was before the first one that it has had, it need not know of.
    return Math.min(...view.had.keys()) < at;
  }

  /** Whether it has told that this reading is lost. */
  gaveUp(device: string, epoch: number, seq: number): boolean {
    return this.#devices.get(device)?.over.has(place(epoch, seq)) ?? false;
  }

  /** Gaps that it has reported and that are neither closed nor given up, as text. */
  *openGaps(): Iterable<string> {
    for (const [device, { open }] of this.#devices)
      for (const [from, to] of open.ranges) yield `${device} ${placeText(from)}-${placeText(to)}`;
  }

  // What the subscriber does

  reading({ device, epoch, seq, sdk }: OpenedReading, sha256: string): void {
    const text = `${this.name} prints ${device} ${epoch}:${seq} ${sha256.slice(0, 16)}`;
    const sealed = this.#ledger.findDigest(sha256);
    if (sealed === undefined) this.#fail('only what was sealed is printed', text);
    else if (sealed.device !== device || sealed.seq !== seq || (!sdk && sealed.epoch !== epoch))
      this.#fail('a reading is printed as what it is', `${text}, sealed as ${sealed}`);
    else {
      const view = this.#view(device, sdk);
      const at = place(epoch, seq);
      if (view.had.has(at)) this.#fail('nothing is printed twice', text);
      view.had.set(at, sealed.final);
      this.#volatile.push({ device: view, at, batch: this.#batch + 1 });
      this.#advance(view, at, sealed.final, text);
      this.counts.printed++;
      if (this.#ever.has(sealed)) this.counts.repeated++;
      this.#ever.add(sealed);
    }
  }

  report(report: Report): void {
    const { counts } = this;
    if (report.kind === 'refused') {
      this.#world.trace.note(this.name, 'refuses', `${report.reason} ${report.device ?? ''} ${report.topic}`);
      counts.refused++;
      // Whoever makes epochs up costs others their turn; those are not lost, a gateway still has them.
      if (report.reason === 'budget') this.#unopened++;
      else if (report.topic !== '(held)') this.#refusals++;
    } else if (report.kind === 'fork') counts.forks++;
    else if (report.kind === 'stale') counts.stale++;
    else if (report.kind === 'held-dropped') counts.heldDropped += report.count;
    else if (report.kind === 'handover') {
      this.#world.trace.note(this.name, 'hears', `${report.gateway} goes on for ${report.from}`);
      if (!this.statusForged && !this.#journals?.replaces?.(report.gateway, report.from))
        this.#fail('a hand-over that is told has been', `${this.name}: ${report.gateway} for ${report.from}`);
    } else if (report.kind === 'gap') {
      counts.gaps[report.stage]++;
      if (report.stage === 'final' && report.reasons.length === 0 && !this.statusForged)
        this.#fail('a final gap has a reason', `${this.name}: ${report.gap.device}`);
      this.#gap(report.stage, report.gap);
    }
  }

  /** A reading that was sealed, in the name of a device that it can verify, has been opened. */
  opened(device: string, at: number): void {
    if (this.#unopened === 0 && !this.#devices.get(device)?.had.has(at))
      this.#fail('what was sealed is printed', `${this.name} has opened ${device} ${placeText(at)}`);
  }

  /**
   * All that was opened so far is one batch.
   * @param forged messages in it that nobody sealed, in the name of a device that the keyring has or of none
   * @param perhaps those in the name of a device that it lacks: held, if they have the form of an envelope
   * @returns its number
   */
  batch(forged: number, perhaps: number): number {
    const refused = this.#refusals;
    const unopened = this.#unopened;
    this.#refusals = this.#unopened = 0;
    if (refused + unopened < forged || refused > forged + perhaps)
      this.#fail(
        'each forgery is reported, and nothing else',
        `${this.name} has reported ${refused} and ${unopened}, came ${forged} and perhaps ${perhaps}`,
      );
    for (const { view, from, to } of this.#closed)
      if (view.open.touches(from, to))
        this.#fail('a closed gap is filled', `${this.name} ${placeText(from)}-${placeText(to)}`);
    this.#closed = [];
    return ++this.#batch;
  }

  /** A batch is durable, and all before it. */
  durable(batch: number): void {
    let done = 0;
    while (done < this.#volatile.length && this.#volatile[done].batch <= batch) done++;
    this.#volatile.splice(0, done);
  }

  /** The medium has destroyed some of its state. */
  damaged(): void {
    this.#damaged = true;
  }

  /** Its state is gone. */
  forgotten(): void {
    this.#devices = new Map();
    this.#volatile = [];
    this.#damaged = false;
  }

  /** It has begun anew, with this state. */
  restored(state: RestoredState): void {
    this.#closed = [];
    this.#refusals = this.#unopened = 0;
    for (const { device, at } of this.#volatile) device.had.set(at, device.had.get(at) ?? false);
    const unsure = new Map<DeviceView, Set<number>>();
    for (const { device, at } of this.#volatile) {
      const set = unsure.get(device);
      if (set === undefined) unsure.set(device, new Set([at]));
      else set.add(at);
    }
    this.#volatile = [];
    for (const [id, view] of this.#devices)
      this.#restoreDevice(id, view, state.devices.get(id), unsure.get(view));
    for (const id of state.devices.keys())
      if (!this.#devices.has(id) && state.devices.get(id)!.had.length > 0)
        this.#fail('a state holds what was printed', `${this.name} knows ${id}`);
  }

  #restoreDevice(
    id: string,
    view: DeviceView,
    restored: RestoredDevice | undefined,
    unsure: ReadonlySet<number> = new Set(),
  ): void {
    const remembered = new Set<number>(restored?.had);
    for (const at of remembered)
      if (!view.had.has(at))
        this.#fail('a state holds what was printed', `${this.name} remembers ${id} ${placeText(at)}`);
    view.top = -1;
    for (const [at, final] of view.had) {
      if (remembered.has(at)) {
        if (at > view.top) {
          view.top = at;
          view.topFinal = final;
        }
        continue;
      }
      if (!unsure.has(at) && !this.#damaged)
        this.#fail('a state that was durable is kept', `${this.name} has forgotten ${id} ${placeText(at)}`);
      view.had.delete(at);
    }
    view.open.ranges = [];
    for (const [from, to] of restored?.gaps ?? []) this.#noticed(id, view, from, to);
    if (!this.#damaged) this.#checkHoles(id, view, restored?.quiet ?? []);
  }

  /** Every hole of what was printed is an open gap, or was given up. */
  #checkHoles(id: string, view: DeviceView, quiet: readonly Range[]): void {
    const all = new RangeSet();
    all.ranges = [...view.open.ranges];
    for (const [from, to] of [...view.over.ranges, ...quiet]) all.add(from, to);
    let before = -1;
    for (const at of [...view.had.keys()].sort((a, b) => a - b)) {
      const from = before < 0 ? at : after(view, before, view.had.get(before)!, at);
      if (!all.covers(from, at))
        this.#fail(
          'whatever is missing is a gap',
          `${this.name} ${id} ${placeText(from)}-${placeText(at)} is none`,
        );
      before = at;
    }
  }

  #advance(view: DeviceView, at: number, final: boolean, text: string): void {
    view.open.remove(at, final && !view.sdk ? nextEpoch(at) : at + 1);
    if (at < view.top) return;
    if (view.top >= 0) {
      const from = after(view, view.top, view.topFinal, at);
      if (!view.open.covers(from, at) && !view.over.covers(from, at))
        this.#fail(
          'whatever is missing is a gap',
          `${text} after ${placeText(view.top)}, with no gap between`,
        );
    }
    view.top = at;
    view.topFinal = final;
  }

  #gap(stage: keyof SubscriberCounts['gaps'], gap: Gap): void {
    const { device, fromEpoch, fromSeq, toEpoch, toSeq } = gap;
    const from = place(fromEpoch, fromSeq);
    const to = place(toEpoch, toSeq);
    const view = this.#devices.get(device) ?? this.#view(device, false);
    const text = `${this.name} ${stage} ${device} ${placeText(from)}-${placeText(to)}`;
    this.#world.trace.note(this.name, `gap ${stage}`, text);
    if (stage === 'provisional') this.#noticed(device, view, from, to);
    else if (stage === 'closed') this.#closed.push({ view, from, to });
    else {
      // What may have come before the first reading is wanted in silence.
      if (gap.quiet === undefined && !view.open.covers(from, to)) this.#fail('only a gap is given up', text);
      this.#checkMissing(device, view, from, to);
      view.open.remove(from, to);
      view.over.add(from, to);
      if (stage === 'final' && !this.statusForged) {
        const held = this.#journals?.heldBetween(device, fromEpoch, fromSeq, toEpoch, toSeq);
        if (held !== undefined) this.#fail('a final gap is lost', `${text}, but a journal holds ${held}`);
      }
    }
  }

  #noticed(id: string, view: DeviceView, from: number, to: number): void {
    this.#checkMissing(id, view, from, to);
    view.open.add(from, to);
  }

  #checkMissing(id: string, view: DeviceView, from: number, to: number): void {
    for (const at of view.had.keys())
      if (from <= at && at < to)
        this.#fail('only what is missing is a gap', `${this.name} ${id} ${placeText(at)} was printed`);
  }

  #view(device: string, sdk: boolean): DeviceView {
    let view = this.#devices.get(device);
    if (view === undefined) {
      view = { sdk, had: new Map(), top: -1, topFinal: false, open: new RangeSet(), over: new RangeSet() };
      this.#devices.set(device, view);
    }
    return view;
  }

  #fail(what: string, details: string): void {
    this.#world.fail(new Violation(what, details));
  }
}

/** What may be missing between two readings begins here; not before `to` when nothing is. */
function after({ sdk }: DeviceView, before: number, final: boolean, to: number): number {
  if (!sdk) return Math.min(to, final ? nextEpoch(before) : before + 1);
  // A sovereign-sdk epoch begins where a counter was lost: what it had further is nobody's knowledge.
  const epochBegins = nextEpoch(to) - (nextEpoch(0) - nextEpoch(-1)) + 1;
  return Math.min(to, Math.max(before + 1, epochBegins));
}
