/**
 * Which readings of a device are of now. One that comes long after it was taken is late: the device, or the link, was away
 * and catches up, a reading after the other. Showing each would run through the outage once more, at the wrong times. So
 * late ones are held back until the newest is of now, or nothing newer comes, since then the newest late one is the present.
 *
 * A clock that was set wrong makes every reading look late. Its lateness stays what it is, while that of a device that catches
 * up shrinks: a lateness that stays is no lateness.
 */

/** Links that come and go, and a device's window of resends. */
export const LATE_MS = 60_000;
/** A device that catches up sends faster than that. */
export const SETTLED_MS = 5000;
const COMPARE_MS = 10_000;

export class Lateness {
  #heldAtMs = -1;
  #since: { readonly ms: number; readonly lateMs: number } | undefined;

  /**
   * @param ms monotonic
   * @param lateMs between its making and its coming
   * @returns whether to show it now
   */
  take(ms: number, lateMs: number): boolean {
    if (lateMs <= LATE_MS) {
      this.#since = undefined;
      this.#heldAtMs = -1;
      return true;
    }
    const since = this.#since ?? { ms, lateMs };
    this.#since = since;
    const elapsedMs = ms - since.ms;
    if (elapsedMs < COMPARE_MS) {
      this.#heldAtMs = ms;
      return false;
    }
    const stays = since.lateMs - lateMs < elapsedMs / 2;
    this.#since = { ms, lateMs };
    this.#heldAtMs = stays ? -1 : ms;
    return stays;
  }

  /** Something is held back. */
  get holds(): boolean {
    return this.#heldAtMs >= 0;
  }

  /** Whether what is held back is the newest that there will be for now. */
  settled(ms: number): boolean {
    if (this.#heldAtMs < 0 || ms - this.#heldAtMs < SETTLED_MS) return false;
    this.#heldAtMs = -1;
    return true;
  }
}
