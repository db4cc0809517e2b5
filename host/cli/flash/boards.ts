/** The boards that there is firmware for: the folders of boards/ that have a manifest. */
import { join } from 'node:path';
import { Fault } from '../../fault.js';

export interface BoardFiles {
  list(directory: string): Promise<string[]>;
  readText(path: string, maxBytes: number): Promise<string | undefined>;
}

export interface BoardFolder {
  readonly name: string;
  /** Absolute path of its manifest. */
  readonly manifest: string;
  /** What mcconfig calls it: `pico`, `esp32/esp32c3`. */
  readonly target: string;
}

const MAX_MANIFEST_BYTES = 256 * 1024;

/** @throws Fault `manifest-invalid` */
export async function listBoards(root: string, files: BoardFiles): Promise<BoardFolder[]> {
  const boards: BoardFolder[] = [];
  for (const name of await files.list(join(root, 'boards'))) {
    const manifest = join(root, 'boards', name, 'manifest.json');
    const text = await files.readText(manifest, MAX_MANIFEST_BYTES).catch(() => undefined);
    if (text !== undefined) boards.push({ name, manifest, target: targetOf(text, name, manifest) });
  }
  return boards;
}

/** A manifest says its target where the SDK keeps variables of the build, and ignores those it doesn't know. */
function targetOf(text: string, name: string, file: string): string {
  let target: unknown;
  try {
    target = JSON.parse(text)?.build?.SOVEREIGN_TARGET;
  } catch (error) {
    throw new Fault('manifest-invalid', `${file} is no JSON: ${String(error)}`, 'mend it', error);
  }
  if (target === undefined) return name;
  if (typeof target === 'string' && /^[a-z0-9_]+(\/[a-z0-9_]+)?$/.test(target)) return target;
  throw new Fault(
    'manifest-invalid',
    `${file}: build.SOVEREIGN_TARGET: expected a target of mcconfig such as esp32/esp32c3`,
    'mend it',
  );
}
