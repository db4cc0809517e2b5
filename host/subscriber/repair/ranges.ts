/** Which ranges a gateway is to be asked for: gaps that are due, those near each other together. */
import type { FetchRange } from '../../uplink/fetch/format.js';
import type { Gap } from '../history.js';
import type { Gateway, Gateways } from './gateways.js';
import { belongsTo, fromOf, isAnswered, isExhausted, toOf, type Watch } from './watch.js';

/** Ranges of one question. */
export const MAX_ASKED = 64;
/** Gaps with no more readings between them are asked for together. */
const MAX_BETWEEN = 32;

/** @returns at most `MAX_ASKED` ranges, and when the next gap is due: infinity when none is */
export function dueRanges(
  watch: Watch,
  gateway: Gateway,
  gateways: Gateways,
  now: number,
): { ranges: FetchRange[]; nextAt: number } {
  const ranges: FetchRange[] = [];
  let nextAt = Number.POSITIVE_INFINITY;
  for (const watched of watch.all()) {
    if (isAnswered(watched, gateway)) continue;
    // Others are asked when those of its site have nothing of it.
    if (!belongsTo(watched, gateway, gateways) && !isExhausted(watched, gateways)) continue;
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

/** Makes the last range longer when the gap comes soon after it; what lies between comes once more. */
function join(ranges: FetchRange[], { device, fromEpoch, fromSeq, toEpoch, toSeq }: Gap): boolean {
  const last = ranges.at(-1);
  if (last?.to === undefined || last.device !== device || last.to[0] !== fromEpoch) return false;
  if (fromSeq < last.to[1] || fromSeq - last.to[1] > MAX_BETWEEN) return false;
  ranges[ranges.length - 1] = { ...last, to: [toEpoch, toSeq] };
  return true;
}
