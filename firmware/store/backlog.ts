/**
 * What a device has sealed and the gateway has not receipted, oldest first. Bounded: when it is full, the
 * caller decides what goes. Entries are numbered from 0, the oldest.
 */
export interface Backlog {
  /** Entries, removed ones in the middle included. */
  readonly count: number;
  /** Adds an envelope as the newest. @returns false when there is no room; nothing has changed then */
  push(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): boolean;
  /** Makes an entry readable in the fields below, until the next call. @returns false when there is none */
  select(index: number): boolean;
  readonly epoch: number;
  readonly seq: number;
  /** The envelope is `buffer[from, to)`; empty when the entry has been removed. */
  readonly buffer: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Forgets the oldest entry, and those removed that follow it. */
  shift(): void;
  /** Forgets an entry wherever it stands. It keeps its number until it is the oldest. */
  remove(index: number): void;
}
