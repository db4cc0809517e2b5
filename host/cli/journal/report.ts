/** What `journal check` and `journal repair` say: one line or one object a thing. */
import type { WalkSummary } from '../../journal/check.js';
import type { DamagedRange } from '../../journal/damaged-ranges.js';
import type { GapEntry, HandoverEntry } from '../../journal/entry.js';
import { MIN_ENTRY_BYTES } from '../../journal/line-writer.js';
import type { LossCause, UnknownLoss } from '../../journal/loss.js';
import type { Tail } from '../../journal/pass.js';
import type { Repair } from '../../journal/repair-news.js';
import { bytesText } from '../../texts.js';

type Place = readonly [epoch: number, seq: number];

export function damageObject(range: DamagedRange): Record<string, unknown> {
  const { number, reason, segment, at, bytes, missingBytes, detail, offsets, bounded, looksLike, noted } =
    range;
  return {
    ...{ damage: reason, number, segment, at, bytes },
    ...(missingBytes > 0 && { missingBytes }),
    ...{ detail, offsets: bounded ? offsets : [offsets[0], null] },
    ...(looksLike.length > 0 && { looksLike }),
    ...(noted && { noted }),
  };
}

export function damageText(range: DamagedRange): string {
  const { number, reason, segment, at, bytes, detail, looksLike, noted } = range;
  const place = bytes > 0 ? `bytes ${at} to ${at + bytes - 1} (${reason})` : `at byte ${at} (${reason})`;
  const like = looksLike.map(({ device, epoch, seq }) => `${device} epoch ${epoch} sequence ${seq}`);
  const looks = like.length > 0 ? `; looks like ${like.join(', ')}` : '';
  const done = noted ? '; noted by an earlier repair' : '';
  return `damage ${number} in ${segment}, ${place}: ${detail}; ${offsetsText(range)}${looks}${done}`;
}

/** Which entries can have stood there. */
function offsetsText({ offsets: [from, to], bounded, bytes, reason }: DamagedRange): string {
  if (reason === 'missing' || reason === 'io') return 'its cost follows';
  if (bounded && from >= to) return 'costs no entry';
  if (bounded)
    return from + 1 === to ? `may cost offset ${from}` : `may cost of the offsets ${from} to ${to - 1}`;
  if (bytes < MIN_ENTRY_BYTES) return 'costs no entry: it is shorter than one';
  const most = Math.ceil(bytes / MIN_ENTRY_BYTES);
  return `may cost offsets from ${from} on, ${most} at most: nothing sound stands behind it`;
}

export function lossObject(gap: GapEntry, cause: LossCause): Record<string, unknown> {
  const { device, from, to, offset } = gap;
  const readings = from[0] === to[0] ? to[1] - from[1] : null;
  const { damages, blanks } = cause;
  return {
    ...{ lost: device, from, to, readings, noticedAt: offset, damages: damages ?? null },
    ...(damages === undefined && { takenOut: blanks }),
  };
}

export function lossText(gap: GapEntry, cause?: LossCause): string {
  const { device, from, to, offset } = gap;
  const why = cause ? `${causeText(cause)}; ` : '';
  return `lost: device ${device}, ${rangeText(from, to)} (${why}noticed at offset ${offset})`;
}

export function rangeText(from: Place, to: Place): string {
  const [epoch, seq] = from;
  if (epoch === to[0]) return `epoch ${epoch}, sequence ${seq} to ${to[1] - 1}`;
  const end = to[1] === 0 ? `the end of epoch ${to[0] - 1}` : `epoch ${to[0]}, sequence ${to[1] - 1}`;
  return `from epoch ${epoch}, sequence ${seq} to ${end}`;
}

function causeText({ damages, blanks }: LossCause): string {
  if (damages === undefined) return blanks ? 'in damage taken out earlier' : 'without a trace';
  const [first, last] = damages;
  return first === last ? `damage ${first}` : `damage ${first} to ${last}`;
}

export function unknownObject({ device, before, from, cause }: UnknownLoss): Record<string, unknown> {
  const { damages } = cause;
  return {
    unknown: device ?? null,
    ...(before && { before }),
    ...(from && { from }),
    damages: damages ?? null,
  };
}

export function unknownText({ device, before, from, cause }: UnknownLoss): string {
  const why = causeText(cause);
  if (device === undefined) {
    return `unknown: readings of devices that no sound line names (${why}: no header behind it says who was there)`;
  }
  if (before) {
    return `unknown: device ${device}, before epoch ${before[0]}, sequence ${before[1]} (${why}: no line and no header before it says where it stood)`;
  }
  const [epoch, seq] = from ?? [0, 0];
  return `unknown: device ${device}, from epoch ${epoch}, sequence ${seq} on (${why}: no line and no header behind it says how far it had got)`;
}

export function tailText({ segment, at, bytes, readings, gaps, holeAt, readingsBehindHole }: Tail): string {
  const entries = gaps > 0 ? `${readings} readings and ${gaps} gaps` : `${readings} readings`;
  const begin = `${bytesText(bytes)} at the end (${segment}, from byte ${at}) are not known to be synced, which is normal after a crash or while a gateway writes: ${entries} in them, which it writes anew when it starts`;
  if (holeAt < 0) return begin;
  const behind =
    readingsBehindHole > 0
      ? `; ${readingsBehindHole} sound readings behind byte ${holeAt} it doesn't take up: devices that have no receipt for them send them again`
      : `; nothing readable behind byte ${holeAt}`;
  return begin + behind;
}

export function handoverText({ from, to, backupAt }: HandoverEntry): string {
  return `${to} goes on for ${from}, restored from its backup of ${new Date(backupAt).toISOString()}`;
}

/** The last lines of a check. */
export function summaryTexts(summary: WalkSummary): string[] {
  const { segments, bytes, readings, gaps, firstOffset, lastOffset } = summary;
  const { handovers, removed, damages, noted, tail } = summary;
  const offsets = firstOffset < 0 ? '' : `, offsets ${firstOffset} to ${lastOffset}`;
  const restored = handovers > 0 ? `, ${handovers} hand-overs` : '';
  const lines = [
    `${segments} segments, ${bytesText(bytes)}, ${readings} readings, ${gaps} gaps${restored}${offsets}`,
  ];
  if (removed > 0) lines.push(`${removed} segments were removed while this went on, as retention does`);
  if (tail) lines.push(tailText(tail));
  const rest = noted > 0 ? `, ${noted} of them noted by an earlier repair` : '';
  const places = damages === 1 ? '1 damaged place' : `${damages} damaged places`;
  lines.push(`${places} (${bytesText(summary.damagedBytes)})${rest}; ${costText(summary)}`);
  return lines;
}

function costText(summary: WalkSummary): string {
  const { losses, oldLosses, lostReadings, lostDevices, uncountedLosses, unknowns } = summary;
  const parts: string[] = [];
  if (losses === 0) parts.push('nothing is lost');
  else {
    const more = uncountedLosses > 0 ? `, and ${uncountedLosses} ranges over several epochs` : '';
    const old =
      oldLosses === 0
        ? ''
        : oldLosses === losses
          ? ', all of it before'
          : `, ${oldLosses} ranges of it before`;
    const ranges = losses === 1 ? '1 range' : `${losses} ranges`;
    parts.push(`lost: ${lostReadings} readings${more} of ${lostDevices} devices in ${ranges}${old}`);
  }
  if (unknowns > 0) parts.push(`${unknowns} times unknown`);
  return parts.join('; ');
}

export function faultText(journal: string, summary: WalkSummary): string {
  const { damages, noted, losses, oldLosses } = summary;
  const fresh = damages - noted;
  return fresh > 0
    ? `the journal in ${journal} is damaged in ${fresh} places, and ${losses - oldLosses} ranges of readings are lost`
    : `the journal in ${journal} lacks ${losses - oldLosses} ranges of readings without a trace of damage`;
}

export function repairObject(repair: Repair): Record<string, unknown> {
  const { kind, segment, ...rest } = repair;
  return { [kind === 'mended' ? 'repaired' : kind]: segment, ...rest };
}

export function repairText(repair: Repair): string {
  const { segment } = repair;
  switch (repair.kind) {
    case 'mended': {
      const { blankedBytes, addedBytes, movedTo } = repair;
      const added = addedBytes > 0 ? `, ${bytesText(addedBytes)} of blanks put in for what is missing` : '';
      return `${segment}: ${bytesText(blankedBytes)} taken out${added}; the original is ${movedTo}`;
    }
    case 'renamed':
      return `${segment}: has its name again`;
    case 'aside':
      return `${segment}: there were two; the one that did not belong is ${repair.movedTo}`;
    case 'noted':
      return `${segment === '' ? '' : `${segment}: `}${repair.detail}; noted in ${repair.note}`;
    case 'unreadable':
      return `${segment}: ${repair.detail}; left as it is`;
  }
}
