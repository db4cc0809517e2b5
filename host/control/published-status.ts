/**
 * The status as it stands retained at the broker. There it has to be short, so the last of the devices are left out,
 * and links; `deviceCount` and `linkCount` tell how many there are. And it has to be cheap: it is made anew once in a while,
 * however often the broker is told how far the journal has got.
 */
import type { Clock } from '../ports.js';
import type { NodeStatus } from './status.js';

/** Bytes of JSON, with room for what stands around it. */
export const MAX_PUBLISHED_BYTES = 60 * 1024;
/** What a packet of that length needs besides. */
const AROUND_BYTES = 4 * 1024;
/** Just below the period of the retained status. */
const ANEW_MS = 9000;

export class PublishedStatus {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #make: () => NodeStatus;
  #madeMs = Number.NEGATIVE_INFINITY;
  #maxBytes = 0;
  #made: NodeStatus | undefined;

  constructor(clock: Pick<Clock, 'monotonic'>, make: () => NodeStatus) {
    this.#clock = clock;
    this.#make = make;
  }

  /**
   * @param maxPacketBytes what the broker takes
   * @returns undefined when not even a status without devices fits
   */
  of(maxPacketBytes = Number.POSITIVE_INFINITY): NodeStatus | undefined {
    const now = this.#clock.monotonic();
    const maxBytes = Math.min(MAX_PUBLISHED_BYTES, maxPacketBytes - AROUND_BYTES);
    if (now - this.#madeMs < ANEW_MS && maxBytes === this.#maxBytes) return this.#made;
    this.#madeMs = now;
    this.#maxBytes = maxBytes; // after another connection, it may be another
    this.#made = shortened(this.#make(), maxBytes);
    return this.#made;
  }
}

/** The same status with as many devices, and then links, as fit; undefined when it is too long without any. */
export function shortened(status: NodeStatus, maxBytes: number): NodeStatus | undefined {
  let left = maxBytes - bytesOf({ ...status, devices: [], links: [] });
  if (left < 0) return undefined;
  const fitting = <T>(all: readonly T[]): readonly T[] => {
    let count = 0;
    for (const one of all) {
      const bytes = bytesOf(one) + 1; // and a comma
      if (bytes > left) break;
      left -= bytes;
      count += 1;
    }
    return all.slice(0, count);
  };
  const devices = fitting(status.devices);
  return { ...status, devices, links: fitting(status.links) };
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
