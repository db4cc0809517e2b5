/**
 * The identity of the gateway as a device, in `own-device/` of the data directory:
 *
 *   identity   {"format":1,"id":"<16 hex digits>","down":"<64 hex digits>"}, written last: without it, the rest is nothing
 *   slot-0     a key slot, as boards have them
 *   slot-1     the other
 *
 * A slot:
 *
 *   offset  bytes  what
 *        0      4  53 56 4b 31 ("SVK1")
 *        4      8  epoch, big-endian
 *       12     32  chain key of that epoch
 *       44      4  CRC-32 of the 44 bytes before, big-endian
 *
 * FF throughout is an empty one. The rule is that of boards, and the order of writing is its guarantee: who wants to seal under
 * epoch n holds (n, chain n) in one slot, makes (n+1, chain n+1) durable in the other, reads it back, empties the slot of n, and
 * only then seals under n. So no epoch is used twice, wherever the power is cut:
 *
 *   slots                              means                                        seals under
 *   one valid (n), the other empty     the last start went to its end               n
 *   both valid (n and a later m)       cut between writing and emptying             m
 *   one valid (n), the other neither   cut while writing or while emptying          n+1, and n+2 is stored
 *   none valid                         lost: a fault, never a reason for a new one  -
 */
import { Crc32, type Digest, fromHex, KEY_BYTES, KeyChain } from '../../firmware/seal/index.js';
import { Fault } from '../fault.js';
import { type DeviceKeys, newDeviceKeys } from '../keyring/provision.js';
import type { Random, Storage } from '../ports.js';
import { replaceFile } from '../replace-file.js';

export interface OwnKeysPorts {
  readonly storage: Storage;
  readonly random: Random;
  readonly digest: Digest;
}

/** A key with the epoch that it is of. */
export interface EpochKey {
  readonly epoch: number;
  readonly chain: Uint8Array;
}

const SLOT_BYTES = 48;
const CHAIN_AT = 12;
const CRC_AT = 44;
const MAGIC = 0x53564b31;
const MAX_EPOCH = 0xffff_ffff;
/** So far a device is never sent ahead by a gateway in order. */
const MAX_STEPS = 1_000_000;
const MAX_IDENTITY_BYTES = 4096;

type Slot = EpochKey | 'empty' | 'damaged';

export class OwnKeys {
  /** 16 hex digits. */
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly down: Uint8Array;
  readonly #ports: OwnKeysPorts;
  readonly #directory: string;

  private constructor(ports: OwnKeysPorts, directory: string, id: string, down: Uint8Array) {
    this.#ports = ports;
    this.#directory = directory;
    this.id = id;
    this.idBytes = fromHex(id)!;
    this.down = down;
  }

  /** Undefined when there is none yet. @throws Fault `own-device-damaged`, or the system's error */
  static async load(ports: OwnKeysPorts, directory: string): Promise<OwnKeys | undefined> {
    const bytes = await read(ports.storage, `${directory}/identity`, MAX_IDENTITY_BYTES);
    if (bytes === undefined) return undefined;
    try {
      const value = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
      const id = String(value.id);
      const down = fromHex(String(value.down));
      if (value.format === 1 && /^[0-9a-f]{16}$/.test(id) && down?.length === KEY_BYTES)
        return new OwnKeys(ports, directory, id, down);
    } catch {
      // said below
    }
    throw damaged(directory, 'its identity can’t be read');
  }

  /** A new identity, durable when this resolves. @throws the system's error */
  static async create(
    ports: OwnKeysPorts,
    directory: string,
    taken: (id: string) => boolean,
  ): Promise<OwnKeys> {
    const keys: DeviceKeys = newDeviceKeys(ports.random, ports.digest, taken);
    const own = new OwnKeys(ports, directory, keys.id, keys.down);
    await ports.storage.ensureDirectory(directory);
    await own.#write(0, slotBytes(keys));
    await own.#write(1, EMPTY);
    const down = Buffer.from(keys.down).toString('hex');
    const text = `${JSON.stringify({ format: 1, id: keys.id, down })}\n`;
    await replaceFile(ports.storage, directory, 'identity', Buffer.from(text));
    return own;
  }

  /** What a keyring needs to verify what will be sealed from now on. @throws Fault `own-device-damaged` */
  async base(): Promise<EpochKey> {
    return this.#held((await this.#slots()).slots);
  }

  /**
   * The key of the next epoch, not before `least`, once the one after it is durable and this one no longer stored.
   * @throws Fault `own-device-damaged`, or the system's error: then nothing may be sealed
   */
  async begin(least = 0): Promise<EpochKey> {
    const { slots } = await this.#slots();
    const held = this.#held(slots);
    const at = slots.indexOf(held);
    const chains = new KeyChain(this.#ports.digest);
    let { epoch, chain } = held;
    const first = slots[1 - at] === 'damaged' ? epoch + 1 : epoch;
    const wanted = Math.max(first, least);
    if (wanted - epoch > MAX_STEPS || wanted >= MAX_EPOCH)
      throw damaged(this.#directory, `epoch ${wanted} is out of reach`);
    for (; epoch < wanted; epoch++) chain = chains.next(chain);
    const next = { epoch: epoch + 1, chain: chains.next(chain) };
    await this.#write(1 - at, slotBytes(next));
    // The new key is durable from here on; the old one goes before anything is sealed.
    await this.#write(at, EMPTY);
    return { epoch, chain };
  }

  #held(slots: readonly Slot[]): EpochKey {
    const valid = slots.filter(slot => typeof slot === 'object').sort((a, b) => b.epoch - a.epoch);
    if (valid[0] === undefined) throw damaged(this.#directory, 'neither of its key slots is valid');
    return valid[0];
  }

  async #slots(): Promise<{ slots: Slot[] }> {
    const slots: Slot[] = [];
    for (const slot of [0, 1])
      slots.push(readSlot(await read(this.#ports.storage, this.#path(slot), SLOT_BYTES)));
    return { slots };
  }

  #path(slot: number): string {
    return `${this.#directory}/slot-${slot}`;
  }

  /** In place, so that what stood there is overwritten; read back. */
  async #write(slot: number, bytes: Uint8Array): Promise<void> {
    const { storage } = this.#ports;
    const path = this.#path(slot);
    const there = (await read(storage, path, SLOT_BYTES)) !== undefined;
    const file = await storage.open(path, there ? 'update' : 'create');
    try {
      for (let at = 0; at < bytes.length; ) at += await file.write(bytes.subarray(at), at);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!there) await storage.syncDirectory(this.#directory);
    const back = await read(storage, path, SLOT_BYTES);
    if (back === undefined || Buffer.compare(back, bytes) !== 0)
      throw damaged(this.#directory, `${path} does not hold what was written`);
  }
}

const EMPTY = new Uint8Array(SLOT_BYTES).fill(0xff);

function slotBytes({ epoch, chain }: EpochKey): Uint8Array {
  const bytes = Buffer.alloc(SLOT_BYTES);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeBigUInt64BE(BigInt(epoch), 4);
  bytes.set(chain, CHAIN_AT);
  bytes.writeUInt32BE(new Crc32().compute(bytes, 0, CRC_AT) >>> 0, CRC_AT);
  return bytes;
}

function readSlot(bytes: Uint8Array | undefined): Slot {
  if (bytes === undefined || bytes.length !== SLOT_BYTES) return 'damaged';
  if (Buffer.compare(bytes, EMPTY) === 0) return 'empty';
  const view = Buffer.from(bytes);
  const epoch = Number(view.readBigUInt64BE(4));
  const sound =
    view.readUInt32BE(0) === MAGIC &&
    view.readUInt32BE(CRC_AT) === new Crc32().compute(view, 0, CRC_AT) >>> 0 &&
    epoch <= MAX_EPOCH;
  return sound ? { epoch, chain: bytes.slice(CHAIN_AT, CRC_AT) } : 'damaged';
}

async function read(storage: Storage, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    const file = await storage.open(path, 'read');
    try {
      const bytes = new Uint8Array(Math.min(await file.size(), maxBytes));
      await file.read(bytes, 0);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}

function damaged(directory: string, what: string): Fault {
  return new Fault(
    'own-device-damaged',
    `the gateway’s own device: ${what}`,
    `sovereign device remove its name, delete ${directory} and start the gateway again: it gets a new identity`,
  );
}
