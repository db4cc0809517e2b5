import type { Storage } from './ports.js';

/**
 * A small file, whole.
 * @throws the storage's error; Error when it is longer than `maxBytes`
 */
export async function readFile(storage: Storage, path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await storage.open(path, 'read');
  try {
    const size = await file.size();
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes, and ${maxBytes} at most are expected`);
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}
