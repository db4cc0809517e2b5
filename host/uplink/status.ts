import type { NodeStatus } from '../control/status.js';

/** What a gateway says of itself, retained, as JSON. */
export interface GatewayStatus {
  readonly gateway: string;
  readonly site: string;
  readonly state: 'online';
  /** Every reading of the journal below this offset has been acknowledged by the broker. */
  readonly cursor: number;
  /** One more than the highest offset that was durable when this was said. */
  readonly head: number;
  /** There was no backlog: nothing waited for the broker, nor for a disk that has yet to secure what the start found. */
  readonly drained: boolean;
  /** It answers on its fetch topic. */
  readonly fetch?: boolean;
  /** Unix ms. */
  readonly at: number;
  /**
   * Gateways that this one goes on for, restored from their backup: what they had taken in since the backup and not published is
   * not to be had from anybody.
   */
  readonly replaces?: readonly string[];
  /** Everything that it says of itself over its control socket, with as many devices as there is room for; not read back. */
  readonly node?: NodeStatus;
}

/** What the will says, and a gateway that goes. It does not say how far it came: that stands in the journal. */
export interface OfflineStatus {
  readonly gateway: string;
  readonly site: string;
  readonly state: 'offline';
}

/** Twice what a gateway sends. */
const MAX_STATUS_BYTES = 128 * 1024;
const MAX_REPLACED = 64;

export function encodeStatus(status: GatewayStatus | OfflineStatus): Uint8Array {
  return Buffer.from(JSON.stringify(status));
}

/** Undefined when the bytes are no status; unknown fields are for later versions. */
export function decodeStatus(bytes: Uint8Array): GatewayStatus | OfflineStatus | undefined {
  if (bytes.length > MAX_STATUS_BYTES) return undefined;
  let value: Partial<GatewayStatus> | null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { gateway, site, cursor, head, drained, fetch, at, replaces } = value;
  const state: unknown = value.state;
  if (typeof gateway !== 'string' || typeof site !== 'string') return undefined;
  if (state === 'offline') return { gateway, site, state };
  if (state !== 'online' || !offset(cursor) || !offset(head)) return undefined;
  return {
    gateway,
    site,
    state,
    cursor,
    head,
    drained: drained === true,
    ...(fetch === true && { fetch }),
    at: offset(at) ? at : 0,
    ...(areNames(replaces) && { replaces }),
  };
}

function offset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areNames(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length <= MAX_REPLACED && value.every(name => typeof name === 'string')
  );
}
