/**
 * The gaps that are not final, and what each gateway has said of them.
 *
 * A reading may still be on its way as long as a gateway has not said that everything in its journal was published. So for
 * each gap and each gateway: the first status after the gap was noticed tells the journal's head; once a later status
 * says that the cursor has passed it, nothing of that gateway will fill the gap by itself (brokers keep the order of one
 * client's messages). Then it is final if the gateway, asked, says that it does not hold what is missing; one that does
 * not answer fetch at all need not be asked. A gateway that is offline may hold it: the gap waits, unless another goes on for
 * that gateway, restored from its backup: then it is waited for no more, and asked only while it is there all the same.
 *
 * A gateway that has not heard of a reading may hear of it later, above all one that was restored, whose devices are further
 * than its journal; and what it then publishes may be lost by the broker. So where others are waited for after such an answer,
 * and its journal has grown since, it is asked once more before the gap is final.
 */
import { compare, type FetchRange, type Place, type Why } from '../../uplink/fetch/format.js';
import type { GatewayStatus } from '../../uplink/status.js';
import type { Gap } from '../history.js';
import { type Gateway, type Gateways, isReplaced } from './gateways.js';
import { Spans } from './spans.js';

/** How often a gateway that is online may leave a question without an answer before it counts for no more. */
export const MAX_UNANSWERED = 10;

/** What has come of asking one gateway for one gap. */
export interface Asked {
  /** Answers that brought nothing. */
  tries: number;
  /** Questions without an answer, one after the other. */
  unanswered: number;
  nextAt: number;
  denied: Spans;
  /** Where its journal ended, at least, when it had not heard of some of it; undefined: it never said so. */
  laterThan?: number | undefined;
  readonly whys: Set<Why>;
}

export interface Watched {
  readonly gap: Gap;
  /** Where its device was heard last; undefined: not since the start. */
  readonly site: string | undefined;
  /** Of each gateway, by key: the head to be passed, or that it was. */
  readonly heads: Map<string, number | 'passed'>;
  readonly asked: Map<string, Asked>;
  /** Not to be asked for before. */
  dueAt: number;
  /** Gateways were asked once more whether they have come to hold it. */
  confirmed: boolean;
}

export class Watch {
  /** By device, in the order of their places. */
  readonly #watched = new Map<string, Watched[]>();

  *all(): Iterable<Watched> {
    for (const list of this.#watched.values()) yield* list;
  }

  /** The gaps that a range covers. */
  within({ device, from, to }: FetchRange): readonly Watched[] {
    if (to === undefined) return [];
    return (this.#watched.get(device) ?? []).filter(
      ({ gap }) => compare(fromOf(gap), from) >= 0 && compare(toOf(gap), to) <= 0,
    );
  }

  /**
   * Watches exactly these gaps of a device; those that were watched keep what is known of them.
   * @param site where the device was heard last; undefined when it was not since the start
   * @param dueAt when new ones may be asked for
   */
  keep(device: string, gaps: readonly Gap[], site: string | undefined, dueAt: () => number): void {
    const before = this.#watched.get(device) ?? [];
    if (gaps.length === 0) {
      this.#watched.delete(device);
      return;
    }
    let at = 0;
    const now = gaps.map((gap): Watched => {
      while (at < before.length && compare(toOf(before[at].gap), fromOf(gap)) <= 0) at++;
      const known = before[at];
      if (known === undefined || !contains(known.gap, gap)) return unknownYet(gap, site, dueAt());
      if (same(known.gap, gap)) return known.site === undefined ? { ...known, site } : known;
      return part(known, gap, site);
    });
    this.#watched.set(device, now);
  }

  /** A gateway says how far it is. */
  passed(key: string, { head, cursor, drained }: GatewayStatus): void {
    for (const watched of this.all()) {
      const known = watched.heads.get(key);
      if (known === undefined) watched.heads.set(key, head);
      else if (known !== 'passed' && (drained || cursor >= known)) watched.heads.set(key, 'passed');
    }
  }

  /** Takes out those that are final. @param again told when a gateway is to be asked once more before one of them is */
  finals(gateways: Gateways, now: number, again: () => void): Watched[] {
    const finals: Watched[] = [];
    for (const [device, list] of this.#watched) {
      const left: Watched[] = [];
      for (const watched of list) {
        if (!isFinal(watched, gateways)) left.push(watched);
        else if (isDoubted(watched, gateways, now)) {
          left.push(watched);
          again();
        } else finals.push(watched);
      }
      if (left.length === list.length) continue;
      if (left.length === 0) this.#watched.delete(device);
      else this.#watched.set(device, left);
    }
    return finals;
  }
}

/** What is known of asking this gateway for this gap. */
export function askedOf(watched: Watched, key: string): Asked {
  let asked = watched.asked.get(key);
  if (asked === undefined) {
    asked = {
      tries: 0,
      unanswered: 0,
      nextAt: watched.dueAt,
      denied: new Spans(),
      whys: new Set(),
    };
    watched.asked.set(key, asked);
  }
  return asked;
}

/** Whether the device was heard there; at a site that has no gateway, anybody may have said so. */
export function belongsTo({ site }: Watched, gateway: Gateway, gateways: Gateways): boolean {
  return site === undefined || site === gateway.site || !gateways.at(site);
}

/** It need not be asked (again): it does not hold the gap, or nobody will ever know. */
export function isAnswered(watched: Watched, gateway: Gateway): boolean {
  if (!gateway.fetch) return true;
  const asked = watched.asked.get(gateway.key);
  if (asked === undefined) return false;
  return asked.unanswered >= MAX_UNANSWERED || asked.denied.covers(fromOf(watched.gap), toOf(watched.gap));
}

/** Another one goes on for it, and it is not there, or does not answer; one that has spoken since is alive, and may come back. */
export function isGone(watched: Watched, gateway: Gateway): boolean {
  if (!isReplaced(gateway)) return false;
  return !gateway.online || (watched.asked.get(gateway.key)?.unanswered ?? 0) >= MAX_UNANSWERED;
}

/** All gateways where the device was heard are past it and have nothing of it. */
export function isExhausted(watched: Watched, gateways: Gateways): boolean {
  let any = false;
  for (const gateway of gateways) {
    if (!belongsTo(watched, gateway, gateways) || isGone(watched, gateway)) continue;
    any = true;
    if (!isAnswered(watched, gateway)) return false;
    // One that was replaced gets no further.
    if (!isReplaced(gateway) && watched.heads.get(gateway.key) !== 'passed') return false;
  }
  return any;
}

function isFinal(watched: Watched, gateways: Gateways): boolean {
  if (!isExhausted(watched, gateways)) return false;
  for (const gateway of gateways) {
    if (gateway.online && !belongsTo(watched, gateway, gateways) && !isAnswered(watched, gateway))
      return false;
  }
  return true;
}

/** Gateways that may have come to hold it since they said that they had not heard of it are asked again, once. */
function isDoubted(watched: Watched, gateways: Gateways, now: number): boolean {
  if (watched.confirmed) return false;
  for (const gateway of gateways) {
    const asked = watched.asked.get(gateway.key);
    if (asked?.laterThan === undefined || gateway.head <= asked.laterThan) continue;
    if (!gateway.fetch || isGone(watched, gateway)) continue;
    asked.denied = new Spans();
    asked.nextAt = now;
    watched.confirmed = true;
  }
  return watched.confirmed;
}

export function fromOf({ fromEpoch, fromSeq }: Gap): Place {
  return [fromEpoch, fromSeq];
}

export function toOf({ toEpoch, toSeq }: Gap): Place {
  return [toEpoch, toSeq];
}

/** A part of a gap has waited as long as the whole; that there is less of it is progress. */
function part({ site, heads, asked, dueAt }: Watched, gap: Gap, heard: string | undefined): Watched {
  const again = [...asked].map(
    ([key, { nextAt, denied, laterThan, whys }]) =>
      [key, { tries: 0, unanswered: 0, nextAt, denied, laterThan, whys: new Set(whys) }] as const,
  );
  return { ...unknownYet(gap, site ?? heard, dueAt), heads: new Map(heads), asked: new Map(again) };
}

function unknownYet(gap: Gap, site: string | undefined, dueAt: number): Watched {
  return { gap, site, heads: new Map(), asked: new Map(), dueAt, confirmed: false };
}

function contains(whole: Gap, inner: Gap): boolean {
  return compare(fromOf(whole), fromOf(inner)) <= 0 && compare(toOf(whole), toOf(inner)) >= 0;
}

function same(a: Gap, b: Gap): boolean {
  return compare(fromOf(a), fromOf(b)) === 0 && compare(toOf(a), toOf(b)) === 0;
}

const WORDS = {
  never: 'never reached',
  lost: 'lost by the medium of',
  removed: 'removed by retention of',
  later: 'not heard of by',
  unread: 'not read by',
  queued: 'on its way from',
} as const satisfies Record<Why, string>;

/** What a gateway said of it, or that it did not. */
export function reasonsOf(watched: Watched, gateway: Gateway): string[] {
  const { key, name, replacedBy } = gateway;
  if (isGone(watched, gateway)) return [`${name}, which may have had it, was replaced by ${replacedBy}`];
  const asked = watched.asked.get(key);
  if (asked === undefined) return [];
  if (asked.unanswered >= MAX_UNANSWERED) return [`${name} does not answer`];
  return [...asked.whys].map(why => `${WORDS[why]} ${name}`);
}
