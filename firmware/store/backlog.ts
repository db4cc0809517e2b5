/**
 * What a device has sealed and the gateway has not receipted, oldest first. Bounded: when it is full, the
 * caller decides what goes. Entries are numbered from 0, the oldest.
 */
export interface Backlog {
  /** Entries, removed ones in the middle included. */
  readonly count: number;
  /** Of these, the removed ones. */
  readonly removed: number;
  /**
   * How many entries, from the oldest, may be on their way together. The rest waits until they have left: what
   * lies in flash is forgotten there before anything that power could still take is sent.
   */
  readonly sendable: number;
  /** Adds an envelope as the newest. @returns false when there is no room; nothing is lost then */
  push(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): boolean;
  /** Makes an entry readable in the fields below, until the next call. @returns false when there is none */
  select(index: number): boolean;
  readonly epoch: number;
  readonly seq: number;
  /** The envelope is `buffer[from, to)`; empty when the entry was removed, or can no longer be read. */
  readonly buffer: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Forgets the oldest entry, and those removed that follow it. */
  shift(): void;
  /**
   * Forgets an entry wherever it stands. It keeps its number until it is the oldest.
   * @returns false when too many are removed already; nothing has changed then
   */
  remove(index: number): boolean;
  /**
   * Does what is due for keeping entries past a power cut.
   * @param away whether nobody takes readings at present
   * @returns ms until it wants to be asked again
   */
  tend(nowMs: number, away: boolean): number;
}
