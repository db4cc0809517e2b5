import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where this package lies, with its boards/ and firmware/; undefined when only the program was copied. */
export async function packageRoot(): Promise<string | undefined> {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== dirname(at); at = dirname(at)) {
    const parts = ['package.json', 'boards', 'firmware'];
    const found = await Promise.all(
      parts.map(part =>
        access(join(at, part)).then(
          () => true,
          () => false,
        ),
      ),
    );
    // build/ of a checkout has boards/ and firmware/ too, compiled, and no package.json.
    if (found.every(Boolean)) return at;
  }
  return undefined;
}
