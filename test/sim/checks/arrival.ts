/** Whether everything that was receipted has arrived where it belongs, once the faults are over. */
import { comparePlaces } from '../../../host/journal/entry.js';
import type { Board } from '../actors/board.js';
import type { GatewayMachine } from '../actors/gateway.js';
import type { SdkSensor } from '../actors/sdk-sensor.js';
import type { SubscriberMachine } from '../actors/subscriber.js';
import type { Disk } from '../disk/disk.js';
import type { JournalCheck } from './journal.js';
import type { PublishCheck } from './publish-order.js';
import type { SubscriberCheck } from './subscriber.js';

export interface Parties {
  readonly boards: readonly Board[];
  readonly sensors: readonly SdkSensor[];
  readonly gateway: GatewayMachine;
  readonly journal: JournalCheck;
  readonly published: PublishCheck;
  readonly subscribers: readonly { machine: SubscriberMachine; check: SubscriberCheck; disk: Disk }[];
}

/** The first thing that was sealed before `sinceMs` and is not where it belongs yet; '' when all is. */
export function missingOf(parties: Parties, sinceMs: number): string {
  const { boards, gateway, journal, published, subscribers } = parties;
  for (const board of boards) if (!board.drained(sinceMs)) return `a backlog: ${board.describe()}`;
  if (!gateway.up) return 'the gateway';
  for (const { key, device, epoch, seq, copies, destroyed, retired } of journal.readings()) {
    if (destroyed) continue;
    if (!published.isAcknowledged(device, epoch, seq)) return `not published: ${key}`;
    if (copies === 0 || retired) continue;
    for (const { machine, check, disk } of subscribers) {
      if (check.has(device, epoch, seq)) continue;
      if (isSdkTail(parties, device, epoch, seq, check, disk.damaged)) continue;
      return `${key} at ${machine.name}`;
    }
  }
  return '';
}

/** The tail of a sovereign-sdk epoch: when its counter began anew meanwhile, nobody can tell that it was there. */
function isSdkTail(
  { sensors, journal }: Parties,
  id: string,
  epoch: number,
  seq: number,
  check: SubscriberCheck,
  damaged: boolean,
): boolean {
  if (!sensors.some(sensor => sensor.id === id)) return false;
  let ended = damaged;
  for (const held of journal.readings()) {
    if (held.device !== id) continue;
    if (held.epoch > epoch) ended = true;
    if (held.epoch === epoch && held.seq > seq && check.has(id, epoch, held.seq)) return false;
  }
  return ended;
}

/** From the journal to a subscriber. */
const UNDER_WAY_MS = 60_000;

export type Range = [device: string, fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number];

/** A reading in a range that the journal has now. */
export function heldBetween(
  journal: JournalCheck,
  [device, ...range]: Range,
  nowMs: number,
): string | undefined {
  const [fromEpoch, fromSeq, toEpoch, toSeq] = range;
  for (const held of journal.readings()) {
    if (held.device !== device || held.copies === 0 || held.destroyed || held.retired) continue;
    // A gateway that has lost its last readings may take in what it had passed before; that is on its way now.
    if (journal.damaged && nowMs - held.sinceMs < UNDER_WAY_MS) continue;
    const { epoch, seq } = held;
    if (comparePlaces(epoch, seq, fromEpoch, fromSeq) < 0 || comparePlaces(epoch, seq, toEpoch, toSeq) >= 0)
      continue;
    return held.key;
  }
  return undefined;
}
