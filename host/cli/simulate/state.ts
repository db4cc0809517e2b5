/** Virtual devices at rest: one file of flash each, and their entries in the keyring. */
import { join } from 'node:path';
import type { Flash } from '../../../firmware/ports.js';
import { type Digest, fromHex, toHex } from '../../../firmware/seal/index.js';
import { KEY_STORE_SECTORS, KeyStore } from '../../../firmware/store/key-store.js';
import { Fault } from '../../fault.js';
import { editKeyring, type KeyringDraft } from '../../keyring/edit.js';
import type { PrivateFiles } from '../../keyring/files.js';
import { type DeviceKeys, entryFor, newDeviceKeys } from '../../keyring/provision.js';
import type { FlashFile } from '../../node/device-files.js';
import type { Random } from '../../ports.js';
import { FileFlash } from './file-flash.js';

const SECTOR_BYTES = 4096;
const KEY_BYTES = KEY_STORE_SECTORS * SECTOR_BYTES;
/** Where a board keeps readings while its gateway is away: 512 KB of them, and what the ring needs for itself. */
export const BACKLOG = { first: KEY_STORE_SECTORS, sectors: 140 };
const FLASH_BYTES = KEY_BYTES + BACKLOG.sectors * SECTOR_BYTES;

/** A device whose key store is loaded and ready. */
export interface Board {
  /** 16 hex digits. */
  readonly id: string;
  readonly keys: KeyStore;
  /** The whole of it: keys, then the backlog. */
  readonly flash: Flash;
  readonly close: () => void;
}

export interface StatePorts {
  readonly openFlash: (path: string, minBytes: number, maxBytes: number) => FlashFile;
  readonly syncDirectory: (directory: string) => void;
  readonly files: PrivateFiles;
  readonly random: Random;
  readonly digest: Digest;
}

/** Every `of`-th device, from this number on. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

interface Found {
  readonly file: FlashFile;
  readonly flash: Flash;
  readonly keys: KeyStore;
  fresh?: DeviceKeys;
}

/**
 * The first `count` devices in `directory`, made where there are none, each with an entry in the keyring.
 * @param part of them alone
 * @throws Fault
 */
export async function openBoards(
  directory: string,
  count: number,
  keyringFile: string,
  ports: StatePorts,
  { number, of }: Part = { number: 1, of: 1 },
): Promise<Board[]> {
  const found: Found[] = [];
  const close = () => {
    for (const { file } of found) file.close();
  };
  try {
    for (let i = number; i <= count; i += of) {
      const path = join(directory, `device-${String(i).padStart(4, '0')}.flash`);
      const file = ports.openFlash(path, KEY_BYTES, FLASH_BYTES);
      const flash = new FileFlash(file, FLASH_BYTES, SECTOR_BYTES, KEY_STORE_SECTORS);
      found.push({ file, flash, keys: new KeyStore(flash) });
    }
    ports.syncDirectory(directory);
    // The keyring knows a device before the device knows its keys: it never speaks as a stranger.
    await editKeyring(ports.files, keyringFile, draft => {
      for (const board of found) enrol(board, draft, ports);
    });
    return found.map(board => ({
      id: ready(board),
      keys: board.keys,
      flash: board.flash,
      close: () => board.file.close(),
    }));
  } catch (error) {
    close();
    throw error;
  }
}

function enrol(board: Found, draft: KeyringDraft, ports: StatePorts): void {
  const { keys, file } = board;
  const state = keys.load();
  if (state === 'unprovisioned') {
    board.fresh = newDeviceKeys(ports.random, ports.digest, id => draft.taken(id));
    draft.add(entryFor(board.fresh, draft.freeName('sim')));
    return;
  }
  if (state !== 'ready')
    throw new Fault(
      state,
      `${file.path}: the virtual device was provisioned and has lost its ${state === 'slots-lost' ? 'key slots' : 'identity'}`,
      'remove the file; a new device will take its place',
    );
  const id = toHex(keys.identity.id);
  const { epoch, chain } = keys.slots;
  const known = { id, epoch, chain: chain.slice(), down: keys.identity.down.slice() };
  try {
    // A taken id gets no further than that, whatever the name.
    draft.add(entryFor(known, draft.taken(id) ? 'sim' : draft.freeName('sim')));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.code === 'device-known') return;
    const remedy =
      error.code === 'id-removed' ? 'remove the file; a new device will take its place' : error.remedy;
    throw new Fault(error.code, `${file.path}: ${error.message}`, remedy, error);
  }
}

function ready(board: Found): string {
  const { keys, fresh, file } = board;
  if (fresh !== undefined) {
    const fault = keys.provision(fromHex(fresh.id)!, fresh.down, fresh.epoch, fresh.chain);
    if (fault !== '')
      throw new Fault('provision-failed', `${file.path}: ${fault}`, 'look at the disk that holds it');
    if (keys.load() !== 'ready') throw new Fault('provision-failed', `${file.path}: not readable again`);
  }
  return toHex(keys.identity.id);
}
