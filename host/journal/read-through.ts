/**
 * Reads a range of a file around what the medium no longer gives.
 *
 * A page that can't be read in three tries comes as zeros, so that it costs the lines it holds and no others.
 * When not one page of the range can be read, it is the device rather than the page that fails: then the error
 * goes up, and nothing is passed over (unless the caller knows better: patience.ts).
 */
import type { StorageFile } from '../ports.js';

const PAGE_BYTES = 4096;
const TRIES = 3;

/** @param dead it is known that the pages are at fault, even where not one of them can be read */
export async function readThrough(
  file: StorageFile,
  target: Uint8Array,
  position: number,
  dead = false,
): Promise<number> {
  try {
    return await file.read(target, position);
  } catch {
    return readByPages(file, target, position, dead);
  }
}

async function readByPages(
  file: StorageFile,
  target: Uint8Array,
  position: number,
  dead: boolean,
): Promise<number> {
  let at = 0;
  let readable = false;
  let failure: unknown;
  while (at < target.length) {
    const bytes = Math.min(PAGE_BYTES - ((position + at) % PAGE_BYTES), target.length - at);
    const page = target.subarray(at, at + bytes);
    let got = -1;
    for (let i = 0; i < TRIES && got < 0; i++) {
      try {
        got = await file.read(page, position + at);
      } catch (error) {
        failure = error;
      }
    }
    if (got < 0) page.fill(0);
    else readable = true;
    at += got < 0 ? bytes : got;
    if (got >= 0 && got < bytes) break;
  }
  if (!readable && !dead && at > 0) throw failure;
  return at;
}
