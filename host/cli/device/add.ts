import { resolve } from 'node:path';
import { toHex } from '../../../firmware/seal/index.js';
import { Fault } from '../../fault.js';
import { editKeyring } from '../../keyring/edit.js';
import { MAX_NODE_BYTES, MAX_SDK_KEY_BYTES, NAME } from '../../keyring/entry.js';
import { entryFor, newDeviceKeys } from '../../keyring/provision.js';
import { sdkDeviceId } from '../../keyring/sdk-id.js';
import { nodeDigest } from '../../node/digest.js';
import { privateFiles } from '../../node/private-files.js';
import { systemRandom } from '../../node/random.js';
import { readBytesFile } from '../../node/text-file.js';
import { type ConfigOption, configOf, type JsonOption, usageFault } from '../context.js';
import { type Output, printable } from '../output.js';

export interface AddOptions extends ConfigOption, JsonOption {
  readonly name?: string;
  readonly sdk?: string;
  readonly keyFile?: string;
  readonly allowReset?: boolean;
}

/** Adds a device, and prints what its provisioning needs. The root key is never kept and never shown. */
export function add(options: AddOptions, output: Output): Promise<void> {
  if (options.sdk !== undefined) return addSdk(options, options.sdk, output);
  for (const [value, name] of [
    [options.keyFile, '--key-file'],
    [options.allowReset, '--allow-reset'],
  ] as const)
    if (value !== undefined) throw usageFault(`${name} goes with --sdk NODE`);
  return addDevice(options, output);
}

async function addDevice(options: AddOptions, output: Output): Promise<void> {
  const { keyringFile } = await configOf(options);
  const added = await editKeyring(privateFiles, keyringFile, draft => {
    const keys = newDeviceKeys(systemRandom, nodeDigest, id => draft.taken(id));
    const entry = entryFor(keys, options.name ?? draft.freeName(`device-${keys.id.slice(0, 4)}`));
    draft.add(entry);
    return {
      device: keys.id,
      name: entry.name,
      epoch: keys.epoch,
      chain: toHex(keys.chain),
      down: toHex(keys.down),
    };
  });
  if (output.json) return output.object(added);
  for (const [key, value] of Object.entries(added))
    await output.line(`${output.style('dim', key.padEnd(8))}${value}`);
  await output.note('chain and down go onto the device and nowhere else: whoever has them can pose as it');
  return undefined;
}

async function addSdk(options: AddOptions, node: string, output: Output): Promise<void> {
  const length = new TextEncoder().encode(node).length;
  if (length === 0 || length > MAX_NODE_BYTES)
    throw usageFault(`--sdk: expected a node name of 1 to ${MAX_NODE_BYTES} bytes, got ${length}`);
  if (options.keyFile === undefined) throw usageFault('--sdk needs --key-file FILE, the key of that sensor');
  const path = resolve(options.keyFile);
  const key = await readBytesFile(path, MAX_SDK_KEY_BYTES);
  if (key === undefined || key.length === 0)
    throw new Fault(
      'key-file',
      `--key-file: ${path} ${key === undefined ? 'is not there' : 'is empty'}`,
      'give the file that the sensor has its key from',
    );
  const { keyringFile } = await configOf(options);
  const added = await editKeyring(privateFiles, keyringFile, draft => {
    const id = sdkDeviceId(node);
    const name = options.name ?? draft.freeName(NAME.test(node) ? node : `sdk-${id.slice(0, 4)}`);
    const sdk = { node, key, allowReset: options.allowReset === true };
    draft.add({ id, name, epoch: 0, chain: new Uint8Array(0), sdk });
    return { device: id, name, node };
  });
  if (output.json) return output.object(added);
  for (const [key, value] of Object.entries(added))
    await output.line(`${output.style('dim', key.padEnd(8))}${printable(value)}`);
  return undefined;
}
