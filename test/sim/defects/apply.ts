/**
 * Puts a defect into the product while it is loaded: the text of compiled modules is replaced in the process that loads
 * them, and nowhere else. The product has no hooks for this.
 */
import { register } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Defect, Edit } from './defect.js';

/** Where the compiler puts what it makes. */
const OUT = new URL('../../../', import.meta.url);

/** A compiled module that edits are for. */
export function compiled(file: string): string {
  return fileURLToPath(new URL(file.replace(/\.ts$/, '.js'), OUT));
}

/**
 * The text with one edit made.
 * @throws Error when what it looks for is not there exactly once: the product has changed, and the list must follow
 */
export function edited(text: string, { file, find, replace }: Edit, defect: string): string {
  const pattern = find
    .trim()
    .split(/\s+/)
    .map(word => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('\\s+');
  const places = [...text.matchAll(new RegExp(pattern, 'g'))];
  if (places.length !== 1) {
    throw new Error(
      `defect ${defect}: ${file}, as compiled, has this ${places.length} times instead of once:\n  ${find}`,
    );
  }
  const [place] = places;
  return text.slice(0, place.index) + replace + text.slice(place.index + place[0].length);
}

/** What the loader's thread is told. */
export interface Loading {
  readonly defect: string;
  /** By the URL of the module. */
  readonly edits: readonly (readonly [url: string, edits: readonly Edit[]])[];
}

/** Every module that is imported from now on has the defect in it; those imported before don't. */
export function applyDefect({ name, edits }: Defect): void {
  const byUrl = new Map<string, Edit[]>();
  for (const edit of edits) {
    const url = pathToFileURL(compiled(edit.file)).href;
    byUrl.set(url, [...(byUrl.get(url) ?? []), edit]);
  }
  const data: Loading = { defect: name, edits: [...byUrl] };
  register('./loader.js', { parentURL: import.meta.url, data });
}
