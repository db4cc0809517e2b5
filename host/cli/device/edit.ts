import { fromHex, KEY_BYTES } from '../../../firmware/seal/index.js';
import { Fault } from '../../fault.js';
import { editKeyring } from '../../keyring/edit.js';
import type { KeyringEntry } from '../../keyring/entry.js';
import { ratchet } from '../../keyring/provision.js';
import { nodeDigest } from '../../node/digest.js';
import { privateFiles } from '../../node/private-files.js';
import { type ConfigOption, configOf, type JsonOption, keyringOf, usageFault } from '../context.js';
import { type Output, printable } from '../output.js';

/** About half a minute of derivations. */
export const MAX_RATCHET_EPOCHS = 4_194_304;

export async function list(options: ConfigOption & JsonOption, output: Output): Promise<void> {
  const keyring = await keyringOf(await configOf(options));
  const entries = [...keyring.entries()];
  if (output.json) {
    for (const entry of entries)
      await output.object({
        device: entry.id,
        name: entry.name,
        kind: kind(entry),
        ...(entry.sdk ? { node: entry.sdk.node, allowReset: entry.sdk.allowReset } : { epoch: entry.epoch }),
      });
    return;
  }
  if (entries.length === 0) await output.note('no devices yet; sovereign device add gives one its keys');
  else
    await output.table(
      [{ title: 'DEVICE' }, { title: 'NAME' }, { title: 'KIND' }, { title: 'EPOCH', align: 'right' }],
      entries.map(entry => [
        entry.id,
        entry.name,
        entry.sdk ? `sdk ${printable(entry.sdk.node)}` : kind(entry),
        entry.sdk ? '-' : String(entry.epoch),
      ]),
    );
}

export async function remove(
  name: string,
  options: ConfigOption & JsonOption,
  output: Output,
): Promise<void> {
  const { keyringFile } = await configOf(options);
  const gone = await editKeyring(privateFiles, keyringFile, draft => {
    const entry = draft.find(name);
    draft.remove(entry.id);
    return entry;
  });
  if (output.json) return output.object({ device: gone.id, name: gone.name });
  await output.line(`removed ${gone.id} (${gone.name}); this id is never used again`);
  return undefined;
}

export interface ResyncOptions extends ConfigOption, JsonOption {
  readonly epoch: number;
  readonly chain?: string;
}

export async function resync(name: string, options: ResyncOptions, output: Output): Promise<void> {
  const { epoch } = options;
  const given = options.chain === undefined ? undefined : fromHex(options.chain);
  if (options.chain !== undefined && given?.length !== KEY_BYTES)
    throw usageFault(`--chain: expected ${2 * KEY_BYTES} hex digits, got ${options.chain.length} characters`);
  const { keyringFile } = await configOf(options);
  const entry = await editKeyring(privateFiles, keyringFile, draft => {
    const found = draft.find(name);
    const moved = { ...found, epoch, chain: given ?? chainAt(found, epoch) };
    if (found.sdk) throw sdkFault(found);
    draft.replace(moved);
    return moved;
  });
  if (output.json) return output.object({ device: entry.id, name: entry.name, epoch });
  await output.line(`${entry.id} (${entry.name}) is verified from epoch ${epoch} on`);
  return undefined;
}

/** The entry's chain at a later epoch. @throws Fault `epoch-past`, `epoch-far` */
export function chainAt(entry: KeyringEntry, epoch: number): Uint8Array {
  if (entry.sdk) throw sdkFault(entry);
  const steps = epoch - entry.epoch;
  if (steps < 0)
    throw new Fault(
      'epoch-past',
      `${entry.id} (${entry.name}): epoch ${epoch} lies before the base ${entry.epoch}, and a chain has no way back`,
      `take an epoch from ${entry.epoch} on, or give the chain with resync --chain`,
    );
  if (steps > MAX_RATCHET_EPOCHS)
    throw new Fault(
      'epoch-far',
      `${entry.id} (${entry.name}): epoch ${epoch} lies ${steps} past the base, at most ${MAX_RATCHET_EPOCHS} are derived`,
      'look whether the epoch is right, or give the chain with resync --chain',
    );
  return ratchet(nodeDigest, entry.chain, steps);
}

const sdkFault = (entry: KeyringEntry) =>
  new Fault('sdk-device', `${entry.id} (${entry.name}) is a sovereign-sdk sensor: it has no epochs`, '');

function kind(entry: KeyringEntry): 'device' | 'verify-only' | 'pending' | 'sdk' {
  if (entry.sdk) return 'sdk';
  if (entry.pending) return 'pending';
  return entry.down ? 'device' : 'verify-only';
}
