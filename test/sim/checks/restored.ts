/** What a backup must know when it is taken, and what a restore must make of it. */
import type { GatewayPlace } from '../../../host/backup/contents.js';
import { comparePlaces } from '../../../host/journal/entry.js';
import { Violation } from '../kernel/violation.js';
import type { JournalCheck } from './journal.js';
import { readLine } from './journal-line.js';

/** The new offsets begin at a multiple of the first, at least the second above the old ones. */
const ERA_OFFSETS = 2 ** 44;
const APART_OFFSETS = 2 ** 43;

/** A gateway has just said where it stands. */
export function checkPlace(
  { positions, durableOffset, nextOffset }: GatewayPlace,
  journal: JournalCheck,
): void {
  if (journal.damaged) return;
  for (const [device, { epoch, seq, tag8 }] of positions)
    if (!journal.knows(device, epoch, seq, tag8))
      throw new Violation('a backup says what is durable', `${device} ${epoch}:${seq}`);
  for (const held of journal.readings()) {
    const { key, device, epoch, seq, highest } = held;
    const receipted = held.receipted && journal.isProven(held);
    const last = positions.get(device);
    const known = last !== undefined && comparePlaces(last.epoch, last.seq, epoch, seq) >= 0;
    if (receipted && !known)
      throw new Violation('a backup knows what was receipted', `${key}, and ${last?.epoch}:${last?.seq}`);
    if (receipted && highest >= nextOffset)
      throw new Violation(
        'a backup knows which offsets were given',
        `${highest}, ${durableOffset}, ${nextOffset}`,
      );
  }
}

/** The data directory of a gateway that was restored, before it starts. */
export function checkRestored(
  { positions, nextOffset }: GatewayPlace,
  segments: ReadonlyMap<number, Uint8Array>,
  offset: number,
): void {
  const wrong = (details: string) => {
    throw new Violation('a restored journal begins where the backup says', details);
  };
  const begin = segments.get(offset);
  if (begin === undefined || offset !== Math.max(...segments.keys())) wrong(`no segment begins at ${offset}`);
  if (offset % ERA_OFFSETS !== 0 || offset < nextOffset + APART_OFFSETS)
    wrong(`${offset} after ${nextOffset}`);
  const left = new Map(positions);
  for (const text of Buffer.from(begin!).toString('latin1').split('\n')) {
    const line = text === '' ? undefined : readLine(text);
    if (line?.kind !== 'device') continue;
    const last = left.get(line.device);
    if (last?.epoch !== line.epoch || last.seq !== line.seq || last.tag8 !== line.tag8)
      wrong(`${line.device} at ${line.epoch}:${line.seq}, not ${last?.epoch}:${last?.seq}`);
    left.delete(line.device);
  }
  if (left.size > 0) wrong(`nothing of ${[...left.keys()].join()}`);
}
