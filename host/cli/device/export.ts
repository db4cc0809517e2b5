import { resolve } from 'node:path';
import { findDevice } from '../../keyring/edit.js';
import type { KeyringEntry } from '../../keyring/entry.js';
import { Keyring } from '../../keyring/file.js';
import { privateFiles } from '../../node/private-files.js';
import { type ConfigOption, configOf, keyringOf, usageFault } from '../context.js';
import type { Output } from '../output.js';
import { chainAt } from './edit.js';

export interface ExportOptions extends ConfigOption {
  readonly verify?: boolean;
  readonly epoch?: number;
  readonly output?: string;
}

/** A keyring without `down`: it verifies, and can't speak to devices. */
export async function exportKeyring(
  names: readonly string[],
  options: ExportOptions,
  output: Output,
): Promise<void> {
  if (options.verify !== true)
    throw usageFault(
      'device export needs --verify',
      'a keyring that can do more is the file itself, which needs no export',
    );
  const keyring = await keyringOf(await configOf(options));
  const all = [...keyring.entries()];
  const chosen = names.length === 0 ? all : [...new Set(names.map(name => findDevice(all, name)))];
  const text = new Keyring(chosen.map(entry => verifyOnly(entry, options.epoch))).render();
  if (options.output === undefined) return output.line(text.trimEnd());
  const path = resolve(options.output);
  await privateFiles.create(path, new TextEncoder().encode(text));
  await output.note(`wrote ${chosen.length} devices to ${path}`);
  return undefined;
}

function verifyOnly(entry: KeyringEntry, epoch: number | undefined): KeyringEntry {
  if (entry.sdk) return entry; // its one key verifies; it has no other
  const { id, name } = entry;
  return epoch === undefined
    ? { id, name, epoch: entry.epoch, chain: entry.chain }
    : { id, name, epoch, chain: chainAt(entry, epoch) };
}
