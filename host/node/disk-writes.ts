/**
 * Bytes that went to the block device: flash wears by these, not by what was passed to write().
 *
 * The device's own count (`/sys/dev/block/<major>:<minor>/stat`, whose 7th number is sectors written) includes
 * journal and metadata of the file system, and other programs. Where there is no such device (overlay, tmpfs,
 * btrfs) the kernel's count for this process (`/proc/self/io`, `write_bytes`) stands in.
 */
import { readFile, stat } from 'node:fs/promises';

const SECTOR_BYTES = 512;
/** Place of "sectors written" among the numbers of a block device's `stat`. */
const SECTORS_WRITTEN = 6;

export interface DiskWrites {
  /** `device`: all of the disk; `process`: this process alone. */
  readonly source: 'device' | 'process';
  /** Since boot for a device, since its start for the process. */
  readonly bytes: number;
}

/** The kernel's present count for the disk that holds `path`; undefined where it doesn't tell. */
export async function diskWrites(path: string): Promise<DiskWrites | undefined> {
  const device = await deviceBytes(path).catch(() => undefined);
  if (device !== undefined) return { source: 'device', bytes: device };
  const own = await processBytes().catch(() => undefined);
  return own === undefined ? undefined : { source: 'process', bytes: own };
}

/** Turns counts into bytes per day since the meter was made. */
export class WriteMeter {
  readonly #read: () => Promise<DiskWrites | undefined>;
  readonly #monotonic: () => number;
  #first: { at: number; writes: DiskWrites } | undefined;

  constructor(read: () => Promise<DiskWrites | undefined>, clock: { monotonic(): number }) {
    this.#read = read;
    this.#monotonic = () => clock.monotonic();
  }

  /** undefined at the first call, and where the kernel doesn't tell. `seconds` says over how long. */
  async sample(): Promise<
    { source: DiskWrites['source']; bytesPerDay: number; bytes: number; seconds: number } | undefined
  > {
    const writes = await this.#read();
    const at = this.#monotonic();
    if (!writes) return undefined;
    const first = this.#first;
    if (first?.writes.source !== writes.source || writes.bytes < first.writes.bytes) {
      this.#first = { at, writes };
      return undefined;
    }
    const seconds = (at - first.at) / 1000;
    if (seconds <= 0) return undefined;
    const bytes = writes.bytes - first.writes.bytes;
    return { source: writes.source, bytes, seconds, bytesPerDay: Math.round((bytes / seconds) * 86_400) };
  }
}

/** The name of a block device below `/sys/dev/block`: `179:2`; undefined where a file system has none. */
export function blockName(dev: number): string | undefined {
  // The kernel's encoding of a device number: 12 bits of major, 20 of minor, minor's upper bits above.
  const major = Math.floor(dev / 256) & 0xfff;
  const minor = (dev & 0xff) | (Math.floor(dev / 2 ** 12) & 0xfff00);
  return major === 0 ? undefined : `${major}:${minor}`;
}

async function deviceBytes(path: string): Promise<number | undefined> {
  const name = blockName((await stat(path)).dev);
  if (name === undefined) return undefined;
  const numbers = (await readFile(`/sys/dev/block/${name}/stat`, 'latin1')).trim().split(/\s+/);
  const sectors = Number(numbers[SECTORS_WRITTEN]);
  return Number.isSafeInteger(sectors) ? sectors * SECTOR_BYTES : undefined;
}

async function processBytes(): Promise<number | undefined> {
  const line = /^write_bytes: (\d+)$/m.exec(await readFile('/proc/self/io', 'latin1'));
  return line ? Number(line[1]) : undefined;
}
