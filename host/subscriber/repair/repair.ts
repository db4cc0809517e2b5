/**
 * Asks gateways for what is missing: first those where the device was heard, then the others. Each has one question open at
 * a time, of a bounded number of ranges; what brought nothing is asked for again after growing pauses, none of them
 * exact, so that subscribers that miss the same readings do not ask together, and the first answer closes the gaps of all.
 */
import type { Clock, Random, Timer } from '../../ports.js';
import { encodeRequest, type Fetched, type FetchResult, type Place } from '../../uplink/fetch/format.js';
import type { GatewayStatus, OfflineStatus } from '../../uplink/status.js';
import type { Gap } from '../history.js';
import { heed } from './answers.js';
import { Delays } from './delays.js';
import { type Gateway, Gateways, isReplaced } from './gateways.js';
import { type Question, Questions, rangeKey } from './questions.js';
import { dueRanges, MAX_ASKED } from './ranges.js';
import { Tails } from './tails.js';
import { askedOf, MAX_UNANSWERED, reasonsOf, Watch } from './watch.js';

export interface RepairPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export interface RepairEvents {
  /** Publishes a request; false when there is no connection. */
  ask(site: string, gateway: string, payload: Uint8Array, refused: () => void): boolean;
  /** Gaps may have become final: see `finals`. */
  due(): void;
  /** A gateway that was heard turns out to be replaced, or one that was replaced speaks all the same; each once. */
  handover?(gateway: Gateway): void;
}

/** What a repair has to know about readings. */
export interface Wanted {
  /** All, each with the site where it was heard last; undefined: not since the start. */
  devices(): Iterable<readonly [device: string, site: string | undefined]>;
  /** The place after the last reading had of a device; undefined: it is not to be asked for. */
  placeAfter(device: string): Place | undefined;
}

/** A gap that is lost. */
export interface Final {
  readonly gap: Gap;
  /** What the gateways said, or that they did not. */
  readonly reasons: readonly string[];
}

/** A gap may close by itself, or by what somebody else has asked for. */
const MIN_GRACE_MS = 1000;
const MAX_GRACE_MS = 4000;
const ANSWER_MS = 30_000;
const MIN_TICK_MS = 250;

export class Repair {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #delays: Delays;
  readonly #events: RepairEvents;
  readonly #wanted: Wanted;
  readonly #asker: string;
  readonly #gateways = new Gateways();
  readonly #watch = new Watch();
  readonly #tails: Tails;
  readonly #questions = new Questions();
  /** What has been told of replaced gateways, by key. */
  readonly #toldHandovers = new Map<string, 'replaced' | 'speaks'>();
  #online = false;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #doubtful = false;
  #closed = false;

  /** @param asker a name of our own for requests */
  constructor({ clock, random }: RepairPorts, asker: string, wanted: Wanted, events: RepairEvents) {
    this.#clock = clock;
    this.#random = random;
    this.#delays = new Delays(random);
    this.#tails = new Tails(this.#delays);
    this.#asker = asker.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 64);
    this.#wanted = wanted;
    this.#events = events;
  }

  connection(online: boolean): void {
    if (online === this.#online) return;
    this.#online = online;
    this.#questions.dropAll();
    if (!online) return;
    this.#tails.renew();
    const now = this.#clock.monotonic();
    let device = '';
    let dueAt = now;
    for (const watched of this.#watch.all()) {
      if (watched.gap.device !== device) dueAt = now + this.#grace();
      device = watched.gap.device;
      watched.dueAt = dueAt;
      for (const asked of watched.asked.values()) asked.nextAt = Math.min(asked.nextAt, watched.dueAt);
    }
    this.#wake(MIN_GRACE_MS);
  }

  /** There are devices that were not known before: gateways may hold what nobody has asked for. */
  devicesChanged(): void {
    this.#tails.renew();
  }

  /** A verified reading came. @param further than all before of its device */
  heard(device: string, site: string, further: boolean): void {
    this.#tails.heard(site);
    if (further) this.#tails.advanced(device, this.#clock.monotonic());
  }

  /** Something of this device could not be taken. */
  missed(device: string): void {
    this.#tails.missed(device, this.#clock.monotonic());
    this.#wake(MIN_GRACE_MS);
  }

  /** Watches exactly these gaps of a device. */
  keep(device: string, gaps: readonly Gap[], site: string | undefined): void {
    let dueAt: number | undefined;
    this.#watch.keep(device, gaps, site, () => {
      dueAt ??= this.#clock.monotonic() + this.#grace();
      return dueAt;
    });
    if (gaps.length > 0) this.#wake(MIN_GRACE_MS);
  }

  status(status: GatewayStatus | OfflineStatus): void {
    const gateway = this.#gateways.status(status);
    if (gateway === undefined) return;
    this.#tellHandovers();
    if (status.state === 'offline') {
      this.#questions.drop(gateway);
      return;
    }
    this.#watch.passed(gateway.key, status);
    this.#tails.status(gateway, status, () => this.#devicesAt(gateway.site), this.#clock.monotonic());
    this.#doubtful = true;
    this.#wake(0);
  }

  /** A gateway says what became of a request: of one of ours, if it bears our number. */
  fetched(site: string, name: string, { id, done, busy, results }: Fetched): void {
    const question = this.#questions.get(id);
    const gateway = this.#gateways.get(site, name);
    if (question === undefined || gateway === undefined || question.gateway !== gateway) return;
    const now = this.#clock.monotonic();
    for (const result of results) {
      if (!question.ranges.delete(rangeKey(result.range))) continue;
      if (result.range.to === undefined) {
        const place = this.#wanted.placeAfter(result.range.device);
        this.#tails.answered(gateway, result, place, now);
      } else this.#answered(question, result, now);
    }
    if (busy) {
      for (const range of question.ranges.values())
        for (const watched of this.#watch.within(range)) askedOf(watched, gateway.key).unanswered = 0;
      this.#postpone(question, now);
    }
    question.until = now + ANSWER_MS;
    if (done || question.ranges.size === 0) this.#questions.done(id);
    this.#doubtful = true;
    this.#wake(0);
  }

  /** Gaps that are final by now; they are not watched any more. */
  finals(): Final[] {
    if (!this.#doubtful) return [];
    this.#doubtful = false;
    return this.#watch
      .finals(this.#gateways, this.#clock.monotonic(), () => this.#wake(0))
      .map(watched => ({
        gap: watched.gap,
        reasons: [...new Set([...this.#gateways].flatMap(gateway => reasonsOf(watched, gateway)))],
      }));
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #tellHandovers(): void {
    for (const gateway of this.#gateways) {
      if (gateway.replacedBy === undefined) continue;
      const news = gateway.speaks ? 'speaks' : 'replaced';
      if (this.#toldHandovers.get(gateway.key) === news) continue;
      this.#toldHandovers.set(gateway.key, news);
      this.#events.handover?.(gateway);
    }
  }

  #answered({ gateway, head }: Question, result: FetchResult, now: number): void {
    for (const watched of this.#watch.within(result.range)) {
      const asked = askedOf(watched, gateway.key);
      const goesOn = heed(watched, gateway, this.#gateways, result, head);
      asked.nextAt = goesOn ? now : now + this.#delays.after(asked.tries++);
    }
  }

  #tick(): void {
    if (!this.#online || this.#closed) return;
    const now = this.#clock.monotonic();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const gateway of this.#gateways) {
      if (!gateway.online || !gateway.fetch) continue;
      const open = this.#questions.openOf(gateway);
      if (open !== undefined && now < open.until) nextAt = Math.min(nextAt, open.until);
      else {
        if (open !== undefined) this.#unanswered(open, now);
        nextAt = Math.min(nextAt, this.#ask(gateway, now));
      }
    }
    if (nextAt !== Number.POSITIVE_INFINITY) this.#wake(nextAt - now);
  }

  /** Asks for what is due; returns when to look again. */
  #ask(gateway: Gateway, now: number): number {
    const { ranges, nextAt } = dueRanges(this.#watch, gateway, this.#gateways, now);
    const left = MAX_ASKED - ranges.length;
    const tails = this.#tails.due(gateway, now, left, device => this.#wanted.placeAfter(device));
    for (const [device, from] of tails.places) ranges.push({ device, from, to: undefined });
    if (ranges.length === 0) return Math.min(nextAt, tails.nextAt);
    const id = this.#number();
    const question: Question = {
      gateway,
      ranges: new Map(ranges.map(range => [rangeKey(range), range])),
      until: now + ANSWER_MS,
      heard: gateway.heard,
      head: gateway.head,
    };
    const payload = encodeRequest({ id, asker: this.#asker, ranges });
    const refused = () => {
      question.until = 0;
      this.#wake(0);
    };
    if (!this.#events.ask(gateway.site, gateway.name, payload, refused)) return Number.POSITIVE_INFINITY;
    this.#questions.add(id, question);
    return question.until;
  }

  #unanswered(question: Question, now: number): void {
    const { gateway, ranges } = question;
    this.#questions.drop(gateway);
    // A gateway that is gone, as far as anybody hears, may come back with what is missing; one that was replaced won't.
    const there = isReplaced(gateway) || gateway.heard > question.heard || question.until === 0;
    for (const range of there ? ranges.values() : []) {
      for (const watched of this.#watch.within(range)) {
        const asked = askedOf(watched, gateway.key);
        asked.unanswered++;
        if (asked.unanswered >= MAX_UNANSWERED) this.#doubtful = true;
      }
    }
    this.#postpone(question, now);
    if (this.#doubtful) this.#events.due();
  }

  /** What is still open of a question is asked for again later. */
  #postpone({ gateway, ranges }: Question, now: number): void {
    for (const range of ranges.values()) {
      if (range.to === undefined) this.#tails.unanswered(gateway, range.device, now);
      for (const watched of this.#watch.within(range)) {
        const asked = askedOf(watched, gateway.key);
        asked.nextAt = now + this.#delays.after(asked.tries++);
      }
    }
  }

  *#devicesAt(here: string): Iterable<string> {
    for (const [device, site] of this.#wanted.devices())
      if (site === undefined || site === here || !this.#gateways.at(site)) yield device;
  }

  #wake(ms: number): void {
    if (!this.#online || this.#closed) return;
    const at = this.#clock.monotonic() + Math.max(ms, MIN_TICK_MS);
    if (this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(Math.max(ms, MIN_TICK_MS), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#tick();
    });
  }

  #grace(): number {
    return this.#delays.between(MIN_GRACE_MS, MAX_GRACE_MS);
  }

  /** Nobody who hasn't seen the request can answer it. */
  #number(): string {
    const bytes = new Uint8Array(8);
    this.#random.fill(bytes);
    return Buffer.from(bytes).toString('hex');
  }
}
