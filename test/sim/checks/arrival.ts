/** Whether everything that was receipted has arrived where it belongs, once the faults are over. */
import { comparePlaces } from '../../../host/journal/entry.js';
import type { Board } from '../actors/board.js';
import type { SdkSensor } from '../actors/sdk-sensor.js';
import type { SubscriberMachine } from '../actors/subscriber.js';
import type { Disk } from '../disk/disk.js';
import type { Gateways, SiteGateway } from '../gateways.js';
import type { SubscriberCheck } from './subscriber.js';

export interface Parties {
  readonly boards: readonly Board[];
  readonly sensors: readonly SdkSensor[];
  readonly gateways: Gateways;
  readonly subscribers: readonly { machine: SubscriberMachine; check: SubscriberCheck; disk: Disk }[];
}

/** The first thing that was sealed before `sinceMs` and is not where it belongs yet; '' when all is. */
export function missingOf(parties: Parties, sinceMs: number): string {
  const { boards, gateways, subscribers } = parties;
  const { machine: gateway, journal } = gateways.current;
  for (const board of boards) if (!board.drained(sinceMs)) return `a backlog: ${board.describe()}`;
  if (!gateway.up) return 'the gateway';
  for (const { key, device, epoch, seq, copies, destroyed, retired, copied } of journal.readings()) {
    if (destroyed) continue;
    if (!gateways.isAcknowledged(device, epoch, seq)) return `not published: ${key}`;
    if (copies === 0 || retired) continue;
    for (const { machine, check, disk } of subscribers) {
      if (check.has(device, epoch, seq)) continue;
      // What retention had let go comes back with a backup: it may have been given up since.
      if (copied && check.gaveUp(device, epoch, seq)) continue;
      if (isSdkTail(parties, device, epoch, seq, check, disk.damaged)) continue;
      return `${key} at ${machine.name}`;
    }
  }
  return stillMissed(parties);
}

/** Where a gateway was lost, what it alone had is told to be lost, and nobody waits for it. */
function stillMissed({ gateways, subscribers }: Parties): string {
  const { machine } = gateways.current;
  // Who does not know it can't tell whom it goes on for.
  // One that spoke after it was replaced is alive: it is waited for like any other.
  const unsound = gateways.haunted || gateways.all.some(({ disk }) => disk.damaged);
  if (gateways.all.length === 1 || unsound || machine.logged.has('handover-unreadable')) return '';
  for (const { machine: subscriber, check } of subscribers) {
    if (check.statusForged) continue;
    for (const gap of check.openGaps()) return `neither closed nor final at ${subscriber.name}: ${gap}`;
  }
  return '';
}

/** What was receipted, is in no journal any more, and was neither printed nor told to be lost; undefined: nothing. */
export function untold({ gateways, subscribers }: Parties): string | undefined {
  const { journal } = gateways.current;
  for (const { journal: before } of gateways.all) {
    if (before === journal) break;
    for (const { key, device, epoch, seq, tag8, receipted } of before.readings()) {
      if (!receipted || journal.isDurable(device, epoch, seq, tag8)) continue;
      // Who began anew wants in silence what was before.
      for (const { machine, check, disk } of subscribers)
        if (machine.wipes === 0 && !disk.damaged && check.passesOver(device, epoch, seq))
          return `${key} at ${machine.name}`;
    }
  }
  return undefined;
}

/** The tail of a sovereign-sdk epoch: when its counter began anew meanwhile, nobody can tell that it was there. */
function isSdkTail(
  { sensors, gateways }: Parties,
  id: string,
  epoch: number,
  seq: number,
  check: SubscriberCheck,
  damaged: boolean,
): boolean {
  if (!sensors.some(sensor => sensor.id === id)) return false;
  let ended = damaged;
  for (const held of gateways.current.journal.readings()) {
    if (held.device !== id) continue;
    if (held.epoch > epoch) ended = true;
    if (held.epoch === epoch && held.seq > seq && check.has(id, epoch, held.seq)) return false;
  }
  return ended;
}

/** From the journal to a subscriber; or a gateway's first status. */
const UNDER_WAY_MS = 60_000;

export type Range = [device: string, fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number];

/** A reading in a range that the gateway's journal has now. */
export function heldBetween(
  { journal, published }: SiteGateway,
  [device, ...range]: Range,
  nowMs: number,
): string | undefined {
  const [fromEpoch, fromSeq, toEpoch, toSeq] = range;
  // A restored gateway that the broker has kept out so far is known to nobody. What is missing in a journal that was there
  // before, as when the lost machine is there again, is lost as far as anybody can tell; it is taken when it comes.
  if (journal.restored && nowMs - published.announcedMs < UNDER_WAY_MS) return undefined;
  for (const held of journal.readings()) {
    if (held.device !== device || held.copies === 0 || held.destroyed || held.retired) continue;
    // A gateway that has lost its last readings, or was restored, may take in what it had passed before; that is on its way now.
    if ((journal.damaged || journal.restored) && nowMs - held.sinceMs < UNDER_WAY_MS) continue;
    const { epoch, seq } = held;
    if (comparePlaces(epoch, seq, fromEpoch, fromSeq) < 0 || comparePlaces(epoch, seq, toEpoch, toSeq) >= 0)
      continue;
    return held.key;
  }
  return undefined;
}
