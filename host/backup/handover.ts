/**
 * Which gateways this one goes on for: `handover.json` in the data directory, written by `sovereign restore` and by nothing
 * else, read when the gateway starts.
 *
 *   {"handover":1,"hops":[{"from":"gw-1","to":"gw-2","backupAt":…,"restoredAt":…,"next":…,"offset":…}]}
 *
 * One hop for each restore, the oldest first; times are Unix ms. `from` would have given the offset `next` next, and the
 * journal of `to` begins at `offset`.
 */
import { Fault, systemCode } from '../fault.js';
import { GATEWAY_NAME, MAX_OFFSET } from '../journal/entry.js';
import type { Storage } from '../ports.js';
import { readFile } from '../read-file.js';

export const HANDOVER_FILE = 'handover.json';
/** As many as there are eras. */
export const MAX_HOPS = 256;
/** Told to subscribers; those further back are long gone. */
const MAX_REPLACED = 16;
const MAX_FILE_BYTES = 128 * 1024;
const READ_TRIES = 3;

export interface Hop {
  readonly from: string;
  readonly to: string;
  readonly backupAt: number;
  readonly restoredAt: number;
  /** What the old gateway would have given next, and where the new one begins. */
  readonly next: number;
  readonly offset: number;
}

/** As the status says it. */
export interface HandoverStatus {
  /** The gateway whose backup this was restored from. */
  readonly from: string;
  /** When the backup was taken, and when it was restored, Unix ms. */
  readonly backupAt: number;
  readonly restoredAt: number;
  /** From here on the journal is this gateway's own. */
  readonly offset: number;
  /** All gateways that this one goes on for, the last one first: subscribers wait for none of them. */
  readonly replaces: readonly string[];
}

export interface Handover {
  readonly status: HandoverStatus;
  readonly hops: readonly Hop[];
}

export function encodeHops(hops: readonly Hop[]): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ handover: 1, hops })}\n`);
}

/** @throws Fault `handover-damaged` */
export function decodeHops(bytes: Uint8Array): readonly Hop[] {
  try {
    const { handover, hops } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (handover === 1 && Array.isArray(hops) && hops.length <= MAX_HOPS && hops.every(isHop)) return hops;
  } catch {
    // as below
  }
  throw new Fault('handover-damaged', `${HANDOVER_FILE} does not say which gateways were replaced`, '');
}

/**
 * What was handed over to this gateway; undefined: nothing was, or the disk does not tell, which costs the report alone.
 * @throws Fault `gateway-replaced` when the configuration gives this gateway the name of one that it replaces
 */
export async function readHandover(
  storage: Storage,
  dataDirectory: string,
  gateway: string,
  warn: (reason: string) => void,
): Promise<Handover | undefined> {
  const path = `${dataDirectory}/${HANDOVER_FILE}`;
  let hops: readonly Hop[] = [];
  for (let tries = 1; ; tries++) {
    try {
      hops = decodeHops(await readFile(storage, path, MAX_FILE_BYTES));
      break;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      if (tries < READ_TRIES) continue;
      warn(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
  const last = hops.at(-1);
  if (last === undefined) return undefined;
  const replaces = [...new Set(hops.map(({ from }) => from).reverse())];
  if (replaces.includes(gateway))
    throw new Fault(
      'gateway-replaced',
      `this data directory was restored from a backup of ${gateway}, and goes on as ${last.to}`,
      `set gateway: ${last.to} in the configuration: two gateways of one name would be taken for each other`,
    );
  const { from, backupAt, restoredAt, offset } = last;
  return {
    status: { from, backupAt, restoredAt, offset, replaces: replaces.slice(0, MAX_REPLACED) },
    hops,
  };
}

function isHop(value: unknown): value is Hop {
  if (typeof value !== 'object' || value === null) return false;
  const { from, to, backupAt, restoredAt, next, offset } = value as Partial<Hop>;
  const named = [from, to].every(name => typeof name === 'string' && GATEWAY_NAME.test(name));
  const times = [backupAt, restoredAt].every(at => Number.isSafeInteger(at) && (at as number) >= 0);
  const offsets = [next, offset].every(at => Number.isSafeInteger(at) && (at as number) <= MAX_OFFSET);
  return named && times && offsets;
}
