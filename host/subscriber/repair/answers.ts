/** What a gateway's answer says of a gap. */
import { compare, type FetchResult } from '../../uplink/fetch/format.js';
import type { Gateway, Gateways } from './gateways.js';
import { askedOf, belongsTo, fromOf, toOf, type Watched } from './watch.js';

/** What a disk has refused so often, over half an hour at least, it will not give any more. */
const UNREAD_TRIES = 12;

/**
 * Keeps of an answer whose range covers the gap what the gateway will never have.
 * @param head where its journal ended when it was asked, as far as it had said
 * @returns whether more may come at once: it answers so much at a time
 */
export function heed(
  watched: Watched,
  gateway: Gateway,
  gateways: Gateways,
  { range, reached, missing }: FetchResult,
  head: number,
): boolean {
  const from = fromOf(watched.gap);
  const to = toOf(watched.gap);
  const asked = askedOf(watched, gateway.key);
  asked.unanswered = 0;
  const passed = !belongsTo(watched, gateway, gateways) || watched.heads.get(gateway.key) === 'passed';
  for (const part of missing) {
    // One that has never had it may still get it, unless it has nothing more to publish.
    if (part.why === 'queued' || (part.why === 'later' && !passed)) continue;
    if (part.why === 'unread' && asked.tries < UNREAD_TRIES) continue;
    if (part.why === 'later') asked.laterThan = head;
    asked.denied.add(part.from, part.to);
    if (compare(part.from, to) < 0 && compare(part.to, from) > 0) asked.whys.add(part.why);
  }
  // If it came any way at all, there is more to come.
  return compare(from, reached) >= 0 && compare(reached, range.from) > 0;
}
