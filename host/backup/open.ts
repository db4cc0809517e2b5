/**
 * Opens a backup: decrypts, takes apart, and believes nothing before the sums at its end agree. Only members that a backup
 * has, by their exact names, are looked at; anything else is no backup of ours.
 */
import { type Config, MAX_CONFIG_BYTES, parseConfig } from '../config.js';
import { Fault } from '../fault.js';
import { segmentFirst } from '../journal/names.js';
import { MAX_KEYRING_BYTES } from '../keyring/entry.js';
import { Keyring } from '../keyring/file.js';
import type { StorageFile } from '../ports.js';
import { decrypt, type Unlock } from './age.js';
import {
  type BackupManifest,
  CONFIG,
  DATA_FILES,
  type GatewayPlace,
  KEYRING,
  MANIFEST,
  MAX_MEMBER_BYTES,
  parseJson,
  readManifest,
  readPlace,
  STATE,
  STATUS,
  SUMS,
} from './contents.js';
import type { BackupPorts } from './ports.js';
import { type Chunks, formFault, type Member, membersOf } from './tar.js';

export interface Opened {
  readonly manifest: BackupManifest;
  readonly config: Config;
  readonly configText: string;
  readonly keyring: Keyring;
  readonly keyringText: string;
  readonly place: GatewayPlace;
  /** The bytes of the files that the configuration names, by member. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly members: number;
  /** Of all members. */
  readonly bytes: number;
  readonly segments: number;
  readonly evidence: number;
}

/** Takes what belongs into the data directory: `journal/00000000000000000001.jsonl`. */
export type TakeData = (name: string, body: Chunks) => Promise<void>;

const READ_BYTES = 256 * 1024;
const MAX_SUMS_BYTES = 16 * 1024 * 1024;
const EVIDENCE = /^evidence\/[0-9a-f]{16}-\d{1,16}-\d{1,16}-[0-9a-f]{16}\.json$/;
const NAMED = /^files\/\d{1,3}-[A-Za-z0-9._-]{1,64}$/;
/** Held in memory, and how long they may be. */
const HELD: Readonly<Record<string, number>> = {
  [MANIFEST]: MAX_MEMBER_BYTES,
  [CONFIG]: MAX_CONFIG_BYTES,
  [KEYRING]: MAX_KEYRING_BYTES,
  [STATE]: MAX_MEMBER_BYTES,
  [STATUS]: MAX_MEMBER_BYTES,
};

/** The bytes of a file, in pieces. */
export async function* chunksOf(file: StorageFile): Chunks {
  for (let at = 0; ; ) {
    const chunk = new Uint8Array(READ_BYTES);
    const got = await file.read(chunk, at);
    if (got === 0) return;
    at += got;
    yield chunk.subarray(0, got);
  }
}

/**
 * Reads a whole backup.
 *
 * @param path for messages
 * @param take what it is given may be used only once this has returned
 * @throws Fault `backup-form`, `backup-key-wrong`, `backup-damaged`; `config-invalid`, `keyring-invalid` for what no gateway would take
 */
export async function openBackup(
  ports: Pick<BackupPorts, 'hash'>,
  sealed: Chunks,
  unlock: Unlock,
  path: string,
  take: TakeData = drain,
): Promise<Opened> {
  return openArchive(ports, await decrypt(sealed, unlock, path), path, take);
}

/** As `openBackup`, for what has been decrypted: whoever knows the public key can have made it. */
export async function openArchive(
  { hash }: Pick<BackupPorts, 'hash'>,
  plain: Chunks,
  path: string,
  take: TakeData = drain,
): Promise<Opened> {
  const held = new Map<string, Uint8Array>();
  const files = new Map<string, Uint8Array>();
  const sums = new Map<string, string>();
  let listed: string | undefined;
  let bytes = 0;
  let segments = 0;
  let evidence = 0;
  for await (const member of membersOf(plain)) {
    const { name, sizeBytes } = member;
    if (listed !== undefined || sums.has(name))
      throw formFault(`${JSON.stringify(name)} stands where nothing may`);
    if (name === SUMS) {
      listed = new TextDecoder().decode(await whole(member, MAX_SUMS_BYTES));
      continue;
    }
    const sum = hash();
    const summed: Member = { ...member, body: hashed(member.body, sum) };
    if (Object.hasOwn(HELD, name)) held.set(name, await whole(summed, HELD[name]));
    else if (NAMED.test(name)) files.set(name, await whole(summed, MAX_CONFIG_BYTES));
    else if (isData(name)) {
      await take(name, summed.body);
      await drain(name, summed.body);
      if (name.startsWith('journal/')) segments++;
      if (name.startsWith('evidence/')) evidence++;
    } else throw formFault(`${JSON.stringify(name)} is none of its members`);
    sums.set(name, sum.hex());
    bytes += sizeBytes;
  }
  compare(sums, listed, path);
  const member = (name: string) => {
    const found = held.get(name);
    if (found === undefined) throw formFault(`it has no ${name}`);
    return found;
  };
  const manifest = readManifest(parseJson(member(MANIFEST), MANIFEST));
  const configText = new TextDecoder().decode(member(CONFIG));
  for (const file of manifest.files)
    if (!files.has(file.member)) throw formFault(`it has no ${file.member}, which is ${file.setting}`);
  const keyringText = new TextDecoder().decode(member(KEYRING));
  return {
    manifest,
    configText,
    config: parseConfig(configText, manifest.config),
    keyring: Keyring.parse(keyringText, manifest.keyring),
    keyringText,
    place: readPlace(parseJson(member(STATE), STATE)),
    files,
    members: sums.size,
    bytes,
    segments,
    evidence,
  };
}

function isData(name: string): boolean {
  if ((DATA_FILES as readonly string[]).includes(name) || EVIDENCE.test(name)) return true;
  return name.startsWith('journal/') && segmentFirst(name.slice('journal/'.length)) !== undefined;
}

async function whole({ name, sizeBytes, body }: Member, maxBytes: number): Promise<Uint8Array> {
  if (sizeBytes > maxBytes) throw formFault(`${name} has ${sizeBytes} bytes, expected at most ${maxBytes}`);
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const chunk of body) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function* hashed(body: Chunks, sum: { update(bytes: Uint8Array): void }): Chunks {
  for await (const chunk of body) {
    sum.update(chunk);
    yield chunk;
  }
}

async function drain(_name: string, body: Chunks): Promise<void> {
  for await (const _ of body);
}

/** What `sha256sum --check SHA256SUMS` looks at. */
function compare(sums: ReadonlyMap<string, string>, listed: string | undefined, path: string): void {
  if (listed === undefined) throw formFault(`it has no ${SUMS}`);
  const wrong = [...sums]
    .filter(([name, sum]) => !listed.includes(`${sum}  ${name}\n`))
    .map(([name]) => name);
  if (wrong.length === 0 && listed.split('\n').length - 1 === sums.size) return;
  throw new Fault(
    'backup-damaged',
    wrong.length > 0
      ? `${path}: ${wrong.slice(0, 5).join(', ')} ${wrong.length === 1 ? 'is' : 'are'} not what was backed up`
      : `${path}: it lacks members that it had`,
    'take another backup; sovereign backup verify tells whether it is whole',
  );
}
