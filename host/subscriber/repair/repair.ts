/**
 * Asks gateways for what is missing: first those where the device was heard, then the others. Each has one question open at
 * a time, of a bounded number of ranges; what brought nothing is asked for again after growing pauses, none of them
 * exact, so that subscribers that miss the same readings do not ask together, and the first answer closes the gaps of all.
 */
import type { Clock, Random, Timer } from '../../ports.js';
import {
  compare,
  encodeRequest,
  type Fetched,
  type FetchRange,
  type FetchResult,
  type Place,
} from '../../uplink/fetch/format.js';
import type { GatewayStatus, OfflineStatus } from '../../uplink/status.js';
import type { Gap } from '../history.js';
import { Delays } from './delays.js';
import { type Gateway, Gateways } from './gateways.js';
import { Tails } from './tails.js';
import {
  askedOf,
  belongsTo,
  fromOf,
  isAnswered,
  isExhausted,
  MAX_UNANSWERED,
  reasonsOf,
  toOf,
  Watch,
  type Watched,
} from './watch.js';

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

interface Question {
  readonly gateway: Gateway;
  /** Not answered yet, by what they say. */
  readonly ranges: Map<string, FetchRange>;
  until: number;
  /** How often the gateway had been heard when it was asked. */
  readonly heard: number;
}

const MAX_ASKED = 64;
/** Questions whose late answers are still heard. */
const MAX_QUESTIONS = 64;
/** A gap may close by itself, or by what somebody else has asked for. */
const MIN_GRACE_MS = 1000;
const MAX_GRACE_MS = 4000;
const ANSWER_MS = 30_000;
const MIN_TICK_MS = 250;
/** What a disk has refused so often, over half an hour at least, it will not give any more. */
const UNREAD_TRIES = 12;
/** Gaps with no more between them are asked for together. */
const MAX_BETWEEN = 32;

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
  /** By id, the last ones. */
  readonly #questions = new Map<string, Question>();
  /** By gateway: the id of the question that is open. */
  readonly #open = new Map<string, string>();
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
    this.#open.clear();
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
      this.#open.delete(gateway.key);
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
      } else this.#answered(gateway, result, now);
    }
    if (busy) {
      for (const range of question.ranges.values())
        for (const watched of this.#within(range)) askedOf(watched, gateway.key).unanswered = 0;
      this.#postpone(question, now);
    }
    question.until = now + ANSWER_MS;
    if (done || question.ranges.size === 0) {
      this.#questions.delete(id);
      if (this.#open.get(gateway.key) === id) this.#open.delete(gateway.key);
    }
    this.#doubtful = true;
    this.#wake(0);
  }

  /** Gaps that are final by now; they are not watched any more. */
  finals(): Final[] {
    if (!this.#doubtful) return [];
    this.#doubtful = false;
    return this.#watch.finals(this.#gateways).map(watched => ({
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

  #answered(gateway: Gateway, { range, reached, missing }: FetchResult, now: number): void {
    for (const watched of this.#within(range)) {
      const from = fromOf(watched.gap);
      const to = toOf(watched.gap);
      const asked = askedOf(watched, gateway.key);
      asked.unanswered = 0;
      const passed =
        !belongsTo(watched, gateway, this.#gateways) || watched.heads.get(gateway.key) === 'passed';
      for (const part of missing) {
        // One that has never had it may still get it, unless it has nothing more to publish.
        if (part.why === 'queued' || (part.why === 'later' && !passed)) continue;
        if (part.why === 'unread' && asked.tries < UNREAD_TRIES) continue;
        asked.denied.add(part.from, part.to);
        if (compare(part.from, to) < 0 && compare(part.to, from) > 0) asked.whys.add(part.why);
      }
      // It answers so much at a time: there is more to come at once, if it came any way at all.
      const goesOn = compare(from, reached) >= 0 && compare(reached, range.from) > 0;
      if (goesOn) asked.nextAt = now;
      else asked.nextAt = now + this.#delays.after(asked.tries++);
    }
  }

  #tick(): void {
    if (!this.#online || this.#closed) return;
    const now = this.#clock.monotonic();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const gateway of this.#gateways) {
      if (!gateway.online || !gateway.fetch) continue;
      const open = this.#questions.get(this.#open.get(gateway.key) ?? '');
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
    const { ranges, nextAt } = this.#due(gateway, now);
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
    };
    const payload = encodeRequest({ id, asker: this.#asker, ranges });
    const refused = () => {
      question.until = 0;
      this.#wake(0);
    };
    if (!this.#events.ask(gateway.site, gateway.name, payload, refused)) return Number.POSITIVE_INFINITY;
    this.#questions.set(id, question);
    this.#open.set(gateway.key, id);
    for (const oldest of this.#questions.keys()) {
      if (this.#questions.size <= MAX_QUESTIONS) break;
      this.#questions.delete(oldest);
    }
    return question.until;
  }

  /** Gaps to ask this gateway for, those near each other together. */
  #due(gateway: Gateway, now: number): { ranges: FetchRange[]; nextAt: number } {
    const ranges: FetchRange[] = [];
    let nextAt = Number.POSITIVE_INFINITY;
    for (const watched of this.#watch.all()) {
      if (isAnswered(watched, gateway)) continue;
      // Others are asked when those of its site have nothing of it.
      if (!belongsTo(watched, gateway, this.#gateways) && !isExhausted(watched, this.#gateways)) continue;
      const at = watched.asked.get(gateway.key)?.nextAt ?? watched.dueAt;
      if (at > now) nextAt = Math.min(nextAt, at);
      else if (!join(ranges, watched.gap)) {
        if (ranges.length >= MAX_ASKED) return { ranges, nextAt: now };
        const { device } = watched.gap;
        ranges.push({ device, from: fromOf(watched.gap), to: toOf(watched.gap) });
      }
    }
    return { ranges, nextAt };
  }

  #unanswered(question: Question, now: number): void {
    const { gateway, ranges } = question;
    this.#open.delete(gateway.key);
    // A gateway that is gone, as far as anybody hears, may come back with what is missing; one that was replaced won't.
    const silent = gateway.replacedBy !== undefined && !gateway.speaks;
    const there = silent || gateway.heard > question.heard || question.until === 0;
    for (const range of there ? ranges.values() : []) {
      for (const watched of this.#within(range)) {
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
      for (const watched of this.#within(range)) {
        const asked = askedOf(watched, gateway.key);
        asked.nextAt = now + this.#delays.after(asked.tries++);
      }
    }
  }

  /** The gaps that a range covers. */
  #within({ device, from, to }: FetchRange): Watched[] {
    if (to === undefined) return [];
    return this.#watch
      .of(device)
      .filter(({ gap }) => compare(fromOf(gap), from) >= 0 && compare(toOf(gap), to) <= 0);
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

/** Makes the last range longer when the gap comes soon after it; what lies between comes once more. */
function join(ranges: FetchRange[], { device, fromEpoch, fromSeq, toEpoch, toSeq }: Gap): boolean {
  const last = ranges.at(-1);
  if (last?.to === undefined || last.device !== device || last.to[0] !== fromEpoch) return false;
  if (fromSeq < last.to[1] || fromSeq - last.to[1] > MAX_BETWEEN) return false;
  ranges[ranges.length - 1] = { ...last, to: [toEpoch, toSeq] };
  return true;
}

function rangeKey({ device, from, to }: FetchRange): string {
  return `${device} ${from.join('/')} ${to?.join('/') ?? ''}`;
}
