import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault, systemCode } from '../fault.js';

/** A folder of this name holds secrets that systemd hands to the service. */
const CREDENTIALS = 'credentials';

/**
 * Where systemd has put a file of a folder `credentials` for this process alone, in memory that is never swapped
 * (`LoadCredential=credentials:/etc/sovereign/credentials`, systemd.exec(5)); undefined for other files, and where
 * no such thing was done. So one configuration holds under systemd and by hand.
 */
export function credentialPath(path: string, environment = process.env): string | undefined {
  const { CREDENTIALS_DIRECTORY: directory } = environment;
  if (directory === undefined || basename(dirname(path)) !== CREDENTIALS) return undefined;
  return join(directory, `${CREDENTIALS}_${basename(path)}`);
}

/** `secret`: refused when everybody on the machine may read or write it. */
export type Confidence = 'public' | 'secret';

/** Read or write, for those who are neither owner nor of the group. */
const OF_OTHERS = 0o006;
const ENTERED_BY_OTHERS = 0o001;

/**
 * A text file of bounded size, UTF-8; first as systemd has handed it to us, if it has.
 * @returns undefined when there is none
 * @throws Fault `file-unreadable`, `file-too-large`, `file-expected`, `secret-readable`
 */
export async function readTextFile(
  path: string,
  maxBytes: number,
  confidence: Confidence = 'public',
): Promise<string | undefined> {
  const handed = credentialPath(path);
  const bytes =
    (handed && (await readBytesFile(handed, maxBytes, confidence))) ??
    (await readBytesFile(path, maxBytes, confidence));
  return bytes && new TextDecoder().decode(bytes);
}

/** As `readTextFile`, but bytes. A path such as `/dev/stdin` is read up to its end. */
export async function readBytesFile(
  path: string,
  maxBytes: number,
  confidence: Confidence = 'public',
): Promise<Uint8Array | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      if (confidence === 'secret') await expectPrivate(handle, path);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const chunk = new Uint8Array(Math.min(64 * 1024, maxBytes - size + 1));
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
        if (bytesRead === 0) break;
        chunks.push(chunk.subarray(0, bytesRead));
        size += bytesRead;
        if (size > maxBytes)
          throw new Fault(
            'file-too-large',
            `${path} has more than ${maxBytes} bytes`,
            'look whether this is the right file',
          );
      }
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      return bytes;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR') throw new Fault('file-expected', `${path} is a directory`, 'give a file', error);
    throw new Fault(
      'file-unreadable',
      `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      code === 'EACCES' ? `run this as a user who may read ${path}` : '',
      error,
    );
  }
}

async function expectPrivate(handle: FileHandle, path: string): Promise<void> {
  const found = await handle.stat();
  if (!found.isFile() || (found.mode & OF_OTHERS) === 0) return;
  throw new Fault(
    'secret-readable',
    `everybody on this machine may use the secret in ${path}: its mode is ${modeText(found.mode)}`,
    `chmod 600 ${path}, and change the secret if others may have seen it`,
  );
}

/** A file that everybody on the machine may use. */
export interface ExposedFile {
  /** As `chmod` takes it: `0644`. */
  readonly mode: string;
  /** We may change it. */
  readonly ours: boolean;
}

/** Undefined for a file that others can't read or write, be it because of a folder above it; and for what is no file. */
export async function exposedFile(path: string): Promise<ExposedFile | undefined> {
  try {
    const file = await realpath(path);
    const found = await stat(file);
    if (!found.isFile() || (found.mode & OF_OTHERS) === 0) return undefined;
    for (let at = dirname(file); ; at = dirname(at)) {
      if (((await stat(at)).mode & ENTERED_BY_OTHERS) === 0) return undefined;
      if (at === dirname(at)) return { mode: modeText(found.mode), ours: mayChange(found.uid) };
    }
  } catch {
    return undefined; // gone meanwhile, or in a folder that is closed to ourselves
  }
}

const mayChange = (owner: number) => [0, owner].includes(process.getuid?.() ?? -1);
const modeText = (mode: number) => (mode & 0o777).toString(8).padStart(4, '0');
