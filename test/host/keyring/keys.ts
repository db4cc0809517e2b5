import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { entryFor, newDeviceKeys } from '../../../host/keyring/provision.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { systemRandom } from '../../../host/node/random.js';

/** A directory of the test's own. */
export function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-keyring-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function device(name: string): KeyringEntry {
  return entryFor(
    newDeviceKeys(systemRandom, nodeDigest, () => false),
    name,
  );
}

/** A keyring file with these entries. */
export function keyringFile(
  t: ExecutionContext,
  entries: readonly KeyringEntry[] = [],
  mode = 0o600,
): string {
  const path = join(temporary(t), 'keyring.yaml');
  writeFileSync(path, new Keyring(entries).render());
  chmodSync(path, mode);
  return path;
}
