/** Runs in the loader's thread of a process that `applyDefect` was called in. */
import type { LoadHook } from 'node:module';
import { edited, type Loading } from './apply.js';
import type { Edit } from './defect.js';

let defect = '';
const byUrl = new Map<string, readonly Edit[]>();

export function initialize(data: Loading): void {
  defect = data.defect;
  for (const [url, edits] of data.edits) byUrl.set(url, edits);
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const edits = byUrl.get(url);
  if (edits === undefined) return loaded;
  let text = Buffer.from(loaded.source as Uint8Array).toString('utf8');
  for (const edit of edits) text = edited(text, edit, defect);
  return { ...loaded, source: text };
};
