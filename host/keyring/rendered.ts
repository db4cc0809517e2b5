/**
 * Reads what `Keyring.render` has written, line by line: several times as fast as YAML, which on a small
 * board would hold a gateway up for seconds. Whatever else a file holds is left to the YAML reader.
 */
import { fromHex } from '../../firmware/seal/index.js';
import type { KeyringEntry } from './entry.js';
import { sdkDeviceId } from './sdk-id.js';

const STRING = '("(?:[^"\\\\]|\\\\.)*")';
const HEX = '"([0-9a-f]{64})"';
const DEVICE = new RegExp(
  ` {2}- id: "([0-9a-f]{16})"\\n {4}name: ${STRING}\\n {4}epoch: (\\d{1,16})\\n {4}chain: ${HEX}\\n(?: {4}down: ${HEX}\\n)?( {4}pending: true\\n)?`,
  'y',
);
const SDK = new RegExp(
  ` {2}- name: ${STRING}\\n {4}sdk: \\{ node: ${STRING}, key: "([0-9a-f]+)", allowReset: (true|false) \\}\\n`,
  'y',
);
const REMOVED = / {2}- "([0-9a-f]{16})"\n/y;

/** The entries and removed ids of a rendered keyring, not yet checked against each other; else undefined. */
export function readRendered(text: string): { entries: KeyringEntry[]; removed: string[] } | undefined {
  const begin = text.indexOf('devices:\n');
  if (begin < 0) return undefined;
  const entries: KeyringEntry[] = [];
  const removed: string[] = [];
  let at = begin + 'devices:\n'.length;
  const next = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  try {
    for (;;) {
      const device = next(DEVICE);
      if (device !== null) {
        const [, id, name, epoch, chain, down, pending] = device;
        entries.push({
          id,
          name: JSON.parse(name),
          epoch: Number(epoch),
          chain: fromHex(chain)!,
          ...(down !== undefined && { down: fromHex(down)! }),
          ...(pending !== undefined && { pending: true as const }),
        });
        continue;
      }
      const sdk = next(SDK);
      if (sdk === null) break;
      const node: string = JSON.parse(sdk[2]);
      const key = fromHex(sdk[3]);
      if (key === undefined) return undefined;
      entries.push({
        id: sdkDeviceId(node),
        name: JSON.parse(sdk[1]),
        epoch: 0,
        chain: new Uint8Array(0),
        sdk: { node, key, allowReset: sdk[4] === 'true' },
      });
    }
  } catch {
    return undefined; // no string of JSON
  }
  if (text.startsWith('removed:\n', at)) {
    at += 'removed:\n'.length;
    for (let id = next(REMOVED); id !== null; id = next(REMOVED)) removed.push(id[1]);
  }
  return { entries, removed };
}
