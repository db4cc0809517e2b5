/**
 * Whether something came after the last reading had of a device. A lost tail shows no gap until the device's next reading,
 * which may take a day, so gateways are asked: after each connection, when the keyring knows new devices, when a gateway
 * that has published everything has taken in more than we have heard, and now and then if it has taken in anything. Only
 * for devices that are silent: those that deliver show their gaps.
 */

import { compare, type FetchResult, type Place } from '../../uplink/fetch/format.js';
import type { GatewayStatus } from '../../uplink/status.js';
import type { Delays } from './delays.js';
import type { Gateway } from './gateways.js';

interface Tail {
  readonly since: number;
  nextAt: number;
  tries: number;
  /** From where it was asked for last. */
  asked: Place | undefined;
}

interface Round {
  /** By device. */
  readonly tails: Map<string, Tail>;
  /** There has been none since the connection. */
  wanted: boolean;
  suspect: boolean;
  /** Some were given up without an answer, or with more to come, or since they delivered: the next one asks for them again. */
  unfinished: boolean;
  at: number;
  head: number;
  /** At the last status that said drained. */
  lastHead: number;
  lastHeard: number;
}

/** A device must have been silent for so long. */
const MIN_SILENCE_MS = 3000;
const MAX_SILENCE_MS = 10_000;
/** One that has delivered for so long is not asked for. */
const DELIVERS_MS = 60_000;
const SUSPECT_EVERY_MS = 60_000;
const EVERY_MS = 600_000;
const MAX_TRIES = 8;

export class Tails {
  readonly #delays: Delays;
  /** By gateway. */
  readonly #rounds = new Map<string, Round>();
  /** Readings that came, by site. */
  readonly #heard = new Map<string, number>();

  constructor(delays: Delays) {
    this.#delays = delays;
  }

  /** A verified reading came, whether it was had or not. */
  heard(site: string): void {
    this.#heard.set(site, (this.#heard.get(site) ?? 0) + 1);
  }

  /** A reading came that is further than all before of its device. */
  advanced(device: string, now: number): void {
    for (const round of this.#rounds.values()) {
      const tail = round.tails.get(device);
      if (tail === undefined) continue;
      // What comes may be what was asked for: there may be more of it. Or what somebody else asked for: so not for good.
      if (tail.asked === undefined && now - tail.since > DELIVERS_MS) giveUp(round, device);
      else tail.nextAt = Math.max(tail.nextAt, now + this.#silence());
    }
  }

  /** Something of this device could not be taken: it is to be asked for again. */
  missed(device: string, now: number): void {
    for (const { tails } of this.#rounds.values()) if (!tails.has(device)) tails.set(device, this.#tail(now));
  }

  /** All are to be asked for: the broker may have dropped something at a new connection, or there are new devices. */
  renew(): void {
    for (const round of this.#rounds.values()) round.wanted = true;
  }

  /** Follows a status; `devices` are those heard at its site, or nowhere yet. */
  status(gateway: Gateway, status: GatewayStatus, devices: () => Iterable<string>, now: number): void {
    const { key, site } = gateway;
    const heard = this.#heard.get(site) ?? 0;
    const { head } = status;
    let round = this.#rounds.get(key);
    if (round === undefined) {
      round = {
        tails: new Map(),
        wanted: true,
        suspect: false,
        unfinished: false,
        at: 0,
        head,
        lastHead: head,
        lastHeard: heard,
      };
      this.#rounds.set(key, round);
    }
    if (!status.drained) return;
    if (head - round.lastHead > heard - round.lastHeard) round.suspect = true;
    round.lastHead = head;
    round.lastHeard = heard;
    const news = round.head !== head || round.unfinished;
    if (!gateway.fetch || !(round.wanted || (news && this.#due(round, now)))) return;
    round.wanted = false;
    round.suspect = false;
    round.unfinished = false;
    round.at = now;
    round.head = head;
    for (const device of devices()) round.tails.set(device, this.#tail(now));
  }

  /**
   * Devices to ask a gateway for, with the place to ask from; `nextAt`: when the next will be.
   * @param placeOf where to ask from; undefined: not at all
   */
  due(
    { key }: Gateway,
    now: number,
    max: number,
    placeOf: (device: string) => Place | undefined,
  ): { places: [device: string, from: Place][]; nextAt: number } {
    const places: [string, Place][] = [];
    let nextAt = Number.POSITIVE_INFINITY;
    for (const [device, tail] of this.#rounds.get(key)?.tails ?? []) {
      if (tail.nextAt > now || places.length >= max) {
        nextAt = Math.min(nextAt, tail.nextAt);
        continue;
      }
      const from = placeOf(device);
      if (from === undefined) this.#rounds.get(key)!.tails.delete(device);
      else {
        tail.asked = from;
        places.push([device, from]);
      }
    }
    return { places, nextAt };
  }

  /** What a gateway says; `place` is what we lack by now. */
  answered({ key }: Gateway, result: FetchResult, place: Place | undefined, now: number): void {
    const round = this.#rounds.get(key);
    const { device } = result.range;
    const tail = round?.tails.get(device);
    if (round === undefined || tail === undefined) return;
    const { last, reached, sent, missing } = result;
    const more = last !== undefined && place !== undefined && compare(place, last) <= 0;
    const coming = missing.some(({ why }) => why === 'queued');
    const stopped = last !== undefined && compare(reached, last) <= 0;
    const unread = missing.some(({ why }) => why === 'unread');
    const advanced = place !== undefined && tail.asked !== undefined && compare(place, tail.asked) > 0;
    tail.tries = advanced ? 0 : tail.tries + 1;
    if (!more || coming || !(stopped || unread || sent > 0)) round.tails.delete(device);
    else if (tail.tries > MAX_TRIES) giveUp(round, device);
    else tail.nextAt = now + (advanced ? 0 : this.#delays.after(tail.tries));
  }

  /** A gateway did not answer. */
  unanswered({ key }: Gateway, device: string, now: number): void {
    const round = this.#rounds.get(key);
    const tail = round?.tails.get(device);
    if (round === undefined || tail === undefined) return;
    tail.tries++;
    if (tail.tries > MAX_TRIES) giveUp(round, device);
    else tail.nextAt = now + this.#delays.after(tail.tries);
  }

  #due({ suspect, at }: Round, now: number): boolean {
    return now - at > (suspect ? SUSPECT_EVERY_MS : EVERY_MS);
  }

  #tail(now: number): Tail {
    return { since: now, nextAt: now + this.#silence(), tries: 0, asked: undefined };
  }

  #silence(): number {
    return this.#delays.between(MIN_SILENCE_MS, MAX_SILENCE_MS);
  }
}

function giveUp(round: Round, device: string): void {
  round.tails.delete(device);
  round.unfinished = true;
}
