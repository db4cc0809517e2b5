/**
 * Goes on with the journal of another gateway, by what a checkpoint of it says: a new segment, in the next era, that begins
 * with the hand-over. Its snapshot says where each device stood, so what had been accepted is known, also where none of the
 * old segments are there.
 */
import { Fault } from '../fault.js';
import type { Clock, Log, Storage } from '../ports.js';
import { type DevicePosition, ERA_OFFSETS, eraOf, type HandoverEntry, MAX_OFFSET } from './entry.js';
import type { PreviousSegment } from './line-writer.js';
import { Writer } from './writer.js';

/** Where a journal stands at one instant, by what is durable. */
export interface Checkpoint {
  readonly positions: ReadonlyMap<string, DevicePosition>;
  /** The offset that the next entry gets, at least. */
  readonly nextOffset: number;
  /** One more than the offset of the last durable entry. */
  readonly durableOffset: number;
  /** First offsets of the segments that hold it, ascending. */
  readonly segments: readonly number[];
  /** The last of them, and how many bytes of it are durable; null: nothing is. */
  readonly previous: PreviousSegment | null;
}

/** What was durable fits into one batch. */
const BATCH_BYTES = 4096;

/**
 * The first offset of the next era that is at least half an era above what the old gateway would have given next.
 * @throws Fault `eras-used-up` after more than a hundred hand-overs
 */
export function nextEra(nextOffset: number): number {
  const first = (eraOf(nextOffset + ERA_OFFSETS / 2) + 1) * ERA_OFFSETS;
  if (first + ERA_OFFSETS <= MAX_OFFSET) return first;
  throw new Fault(
    'eras-used-up',
    `the journal has come to offset ${nextOffset}: there is no room for another hand-over`,
    'set a new gateway up with sovereign init, and take its keyring from the backup',
  );
}

/**
 * Writes the segment, durable.
 *
 * @param directory has the old segments, if they are to be kept, and nothing else
 * @param previous null when they are not
 * @returns its first offset
 * @throws Fault when the disk refuses
 */
export async function goOn(
  ports: { readonly storage: Storage; readonly clock: Clock; readonly log: Log },
  directory: string,
  { positions, nextOffset, previous }: Checkpoint,
  said: Pick<HandoverEntry, 'from' | 'to' | 'backupAt'>,
): Promise<number> {
  const first = nextEra(nextOffset);
  let durable = false;
  let refused: Fault | undefined;
  const writer = new Writer(
    ports,
    {
      directory,
      segmentBytes: Number.POSITIVE_INFINITY,
      maxBatchBytes: BATCH_BYTES,
      maxPendingBytes: BATCH_BYTES,
      reserveBytes: 0,
    },
    {
      begun() {},
      durable() {
        durable = true;
      },
      announce() {},
      stalled(fault) {
        refused = fault;
      },
    },
    positions,
    first,
    previous,
  );
  writer.append({ kind: 'handover', at: ports.clock.now(), ...said, next: nextOffset, offset: -1 });
  await writer.close();
  if (!durable)
    throw refused ?? new Fault('journal-write-failed', `the journal can't be written at ${directory}`);
  return first;
}
