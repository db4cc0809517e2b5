/** The keys of the simulation's devices: always the same ones, derived once a process. */
import { SeededRandom } from '../../../boards/virtual/random.js';
import { KeyChain, toHex } from '../../../firmware/seal/index.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { sdkDeviceId } from '../../../host/keyring/sdk-id.js';
import { nodeDigest } from '../../../host/node/digest.js';

const chainOf = new KeyChain(nodeDigest);

export class DeviceKeys {
  readonly id: string;
  readonly idBytes = new Uint8Array(8);
  readonly down: Uint8Array;
  readonly entry: KeyringEntry;
  readonly #chains: Uint8Array[];

  constructor(index: number) {
    const random = new SeededRandom(1_000_000 + index);
    const root = new Uint8Array(32);
    random.fill(root);
    random.fill(this.idBytes);
    this.id = toHex(this.idBytes);
    this.down = chainOf.down(root, this.idBytes);
    this.#chains = [chainOf.first(root, this.idBytes)];
    this.entry = { id: this.id, name: `probe-${index}`, epoch: 0, chain: this.#chains[0], down: this.down };
  }

  /** What readings and hellos of an epoch are keyed from. */
  chain(epoch: number): Uint8Array {
    for (let i = this.#chains.length; i <= epoch; i++) this.#chains.push(chainOf.next(this.#chains[i - 1]));
    return this.#chains[epoch];
  }
}

const devices: DeviceKeys[] = [];

export function deviceKeys(index: number): DeviceKeys {
  for (let i = devices.length; i <= index; i++) devices.push(new DeviceKeys(i));
  return devices[index];
}

export interface SdkKeys {
  readonly id: string;
  readonly node: string;
  readonly key: Uint8Array;
  readonly entry: KeyringEntry;
}

export function sdkKeys(index: number, allowReset: boolean): SdkKeys {
  const node = `noëud-${index}`;
  const key = new Uint8Array(32);
  new SeededRandom(2_000_000 + index).fill(key);
  const id = sdkDeviceId(node);
  const sdk = { node, key, allowReset };
  return { id, node, key, entry: { id, name: `sdk-${index}`, epoch: 0, chain: new Uint8Array(0), sdk } };
}
