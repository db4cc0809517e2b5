/**
 * What a device and its gateway say to each other besides readings. `README.md` has every message in CDDL.
 *
 *   1 challenge  gateway → device   [1, gateway nonce]
 *   2 knock      device → gateway   [1, device id]                      "challenge me"
 *   3 up         device → gateway   COSE_Mac0 under up(epoch)           hello, time request
 *   4 reading    device → gateway   the envelope
 *   5 down       gateway → device   COSE_Mac0 under down                receipt, time, refuse, advance, config
 *
 * Every message in a COSE_Mac0 names both nonces, so that it says nothing outside its session, and messages
 * down are numbered, so that each is taken once. `MessageWriter` and `MessageReader` have the bytes.
 */

/** The first byte of a frame. */
export const FrameType = { challenge: 1, knock: 2, up: 3, reading: 4, down: 5 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Key 0 of messages up. */
export const UpKind = { hello: 1, timeRequest: 2 } as const;
export type UpKind = (typeof UpKind)[keyof typeof UpKind];

/** Key 0 of messages down. */
export const DownKind = { receipt: 1, time: 2, refuse: 3, advance: 4, config: 5 } as const;
export type DownKind = (typeof DownKind)[keyof typeof DownKind];

/** Why a gateway refuses a reading for good. */
export const RefuseReason = { fork: 1 } as const;
export type RefuseReason = (typeof RefuseReason)[keyof typeof RefuseReason];

/** What names a session: 16 bytes each. */
export interface SessionNonces {
  readonly gateway: Uint8Array;
  readonly device: Uint8Array;
}

/** A reading, named so that nobody takes another for it: the first 8 bytes of its tag. */
export interface Receipted {
  readonly epoch: number;
  readonly seq: number;
  readonly tag8: Uint8Array;
}

/** What a device says of itself when a session begins. */
export interface Hello {
  readonly epoch: number;
  /** The sequence that its next reading will have. */
  readonly next: number;
  /** The oldest reading that it holds; absent when it holds none. */
  readonly oldest?: { readonly epoch: number; readonly seq: number } | undefined;
  /** How many readings it holds. */
  readonly backlog: number;
  /** How many readings it has lost since boot. */
  readonly losses: number;
  /** Cut to 64 bytes of UTF-8. */
  readonly firmware: string;
  /** Why it last restarted; cut to 128 bytes of UTF-8. */
  readonly restart: string;
  /** The last version of its settings that the gateway gave it since boot, 0 before the first; absent: it takes none. */
  readonly configVersion?: number | undefined;
}
