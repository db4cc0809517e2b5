/**
 * Looks at what else a gateway keeps beside its journal. Damage there never stops a gateway and mends itself, so it
 * is told and not counted: what it costs stands with it.
 */
import { systemCode } from '../../fault.js';
import { decodeSlot } from '../../journal/cursor.js';
import type { Storage, StorageFile } from '../../ports.js';

export interface StoreNote {
  file: string;
  detail: string;
}

const SLOT_BYTES = 512;
const BUFFER_BYTES = 256 * 1024;
const LF = 0x0a;
/** A fork's evidence holds two readings of 8 KiB at most, in base64url. */
const MAX_EVIDENCE_BYTES = 64 * 1024;

/** @param end offset behind the last line of the journal, with the tail */
export async function checkStores(
  storage: Storage,
  data: string,
  end: number,
  tell: (note: StoreNote) => Promise<void>,
): Promise<void> {
  await checkCursors(storage, `${data}/cursors`, end, tell);
  for (const name of await names(storage, `${data}/quarantine`)) {
    if (!/^intake-\d{10}\.jsonl$/.test(name)) continue;
    const file = `${data}/quarantine/${name}`;
    const lines = await badLines(storage, file).catch(unreadable);
    if (typeof lines === 'string') await tell({ file, detail: `${lines}: what it kept can't be looked at` });
    else if (lines > 0)
      await tell({ file, detail: `${lines} lines are damaged: the bytes that they kept are gone` });
  }
  for (const name of await names(storage, `${data}/evidence`)) {
    if (!/^[0-9a-f]{16}-\d+-\d+-[0-9a-f]{16}\.json$/.test(name)) continue;
    const file = `${data}/evidence/${name}`;
    const bad = await badEvidence(storage, file).catch(unreadable);
    if (bad) await tell({ file, detail: 'is damaged: its name still says which reading there were two of' });
  }
}

async function checkCursors(
  storage: Storage,
  directory: string,
  end: number,
  tell: (note: StoreNote) => Promise<void>,
): Promise<void> {
  const cursors = new Map<string, string[]>();
  for (const name of await names(storage, directory)) {
    if (!/^[A-Za-z0-9_-]+\.[ab]$/.test(name)) continue;
    const cursor = name.slice(0, -2);
    cursors.set(cursor, [...(cursors.get(cursor) ?? []), name]);
  }
  for (const files of cursors.values()) {
    let sound = 0;
    let offset = 0;
    const damaged: string[] = [];
    for (const name of files) {
      const bytes = await read(storage, `${directory}/${name}`, SLOT_BYTES).catch(() => new Uint8Array(0));
      const slot = decodeSlot(bytes);
      // One that has never been written is blank.
      const blank = bytes.length === SLOT_BYTES && bytes.every(byte => byte === 0x20);
      if (slot) {
        sound++;
        offset = Math.max(offset, slot.offset);
      } else if (!blank) damaged.push(`${directory}/${name}`);
    }
    const cost =
      sound > 0 ? 'the other one counts' : 'the cursor begins anew and everything is published again';
    for (const file of damaged) await tell({ file, detail: `is damaged: ${cost}` });
    if (sound === 0 || offset <= end) continue;
    const detail = `stands at offset ${offset}, and the journal ends before ${end}: what was published last is not there any more`;
    await tell({ file: `${directory}/${files[0]}`, detail });
  }
}

async function names(storage: Storage, directory: string): Promise<string[]> {
  return storage.list(directory).catch(() => []);
}

async function read(storage: Storage, path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await storage.open(path, 'read');
  try {
    const bytes = new Uint8Array(maxBytes);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

async function badEvidence(storage: Storage, path: string): Promise<boolean> {
  return !isJson(Buffer.from(await read(storage, path, MAX_EVIDENCE_BYTES)).toString('utf8'));
}

async function badLines(storage: Storage, path: string): Promise<number> {
  const file = await storage.open(path, 'read');
  try {
    return await countBadLines(file);
  } finally {
    await file.close();
  }
}

async function countBadLines(file: StorageFile): Promise<number> {
  const buffer = Buffer.alloc(BUFFER_BYTES);
  let bad = 0;
  let held = 0;
  for (let position = 0; ; ) {
    const got = await file.read(buffer.subarray(held), position);
    position += got;
    const end = held + got;
    let from = 0;
    for (let feed = buffer.indexOf(LF); feed >= 0 && feed < end; feed = buffer.indexOf(LF, from)) {
      if (feed > from && !isJson(buffer.toString('utf8', from, feed))) bad++;
      from = feed + 1;
    }
    // The last line need not be whole: a crash cuts it off. One that fills the buffer is none.
    if (got === 0) return bad;
    if (from === 0 && end === buffer.length) {
      bad++;
      from = end;
    }
    buffer.copyWithin(0, from, end);
    held = end - from;
    buffer.fill(0, held);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function unreadable(error: unknown): string {
  return `can't be read (${systemCode(error) || String(error)})`;
}
