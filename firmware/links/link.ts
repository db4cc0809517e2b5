import type { Wire } from '../ports.js';

/** What a link tells the device. Called from `poll` and from the callbacks of the IO below. */
export interface LinkEvents {
  /** There is a way to the gateway, with nothing on it yet. */
  up(): void;
  /** It is gone, and what was on it too. */
  down(): void;
  /** Came down it; the buffer is reused after the call returns. */
  received(bytes: Uint8Array, from: number, to: number): void;
  /** Something happened that wants a `poll` soon. */
  wake(): void;
}

/**
 * A way to the gateway over some IO of the board. It does nothing by itself: `poll` opens, reconnects, times out and
 * says how long it can be left alone. It keeps at most a fixed number of bytes, and never throws.
 */
export interface DeviceLink extends Wire {
  readonly connected: boolean;
  /** Does what is due. @returns ms until it wants to be called again */
  poll(): number;
  /** For good. */
  close(): void;
}
