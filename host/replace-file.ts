import type { Storage } from './ports.js';

/**
 * Puts a file where another of this name may be: whatever happens on the way, there is the one or the other, whole. The new
 * one is durable when this resolves.
 * @throws the system's error
 */
export async function replaceFile(
  storage: Storage,
  directory: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const path = `${directory}/${name}`;
  const temporary = `${path}.new`;
  await storage.remove(temporary).catch(() => {}); // of a run that was killed
  const file = await storage.open(temporary, 'create');
  try {
    for (let at = 0; at < bytes.length; ) at += await file.write(bytes.subarray(at), at);
    await file.sync();
  } finally {
    await file.close();
  }
  await storage.rename(temporary, path);
  await storage.syncDirectory(directory);
}
