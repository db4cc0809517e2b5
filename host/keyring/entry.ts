/** One device as the host knows it. */
export interface KeyringEntry {
  /** 16 lower-case hex digits; for a sovereign-sdk node the first 16 of SHA-256(node). */
  readonly id: string;
  /** An alias for people, unique in the keyring. */
  readonly name: string;
  /** Where `chain` stands. Earlier epochs can't be verified with this entry. */
  readonly epoch: number;
  /** The chain at `epoch`, 32 bytes; empty for a sovereign-sdk node. */
  readonly chain: Uint8Array;
  /** What messages to the device are sealed with; absent in a keyring that only verifies. */
  readonly down?: Uint8Array;
  readonly sdk?: SdkIdentity;
  /**
   * The keys went to a board that has not confirmed them: they hold if it took them. Absent otherwise, and never
   * false.
   */
  readonly pending?: true;
}

/** A sensor that speaks sovereign-sdk version 1. */
export interface SdkIdentity {
  /** As the frames name it, at most 128 bytes of UTF-8. */
  readonly node: string;
  readonly key: Uint8Array;
  /** The operator allows that the node's sequence falls back to 1; that opens a new epoch. */
  readonly allowReset: boolean;
}

/** Looking devices up: a keyring as loaded, or one that follows its file. */
export interface KeyringView {
  readonly size: number;
  /** By id, 16 lower-case hex digits. */
  get(id: string): KeyringEntry | undefined;
  /** By the node name of a sovereign-sdk sensor. */
  byNode(node: string): KeyringEntry | undefined;
  byName(name: string): KeyringEntry | undefined;
  entries(): Iterable<KeyringEntry>;
}

export const MAX_NODE_BYTES = 128;
export const MAX_SDK_KEY_BYTES = 1024;
export const MAX_DEVICES = 100_000;

/** The most that a keyring file may have: what the most devices take, with room for hand-made ones. */
export const MAX_KEYRING_BYTES = 64 * 1024 * 1024;

/** What a name looks like, and what it must not look like: an id. */
export const NAME = /^(?![0-9a-f]{16}$)[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u;
export const NAME_RULE =
  'a name of 1 to 64 letters, digits, "-", "_" or ".", and no id, such as cellar-probe';
export const ID = /^[0-9a-f]{16}$/;
