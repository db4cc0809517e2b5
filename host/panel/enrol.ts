import { Fault } from '../fault.js';
import { editKeyring } from '../keyring/edit.js';
import { type KeyringEntry, NAME } from '../keyring/entry.js';
import type { PrivateFiles } from '../keyring/files.js';

/**
 * Puts the gateway's own device into the keyring at `path`, under the gateway's name.
 * @returns the name; what stood there already stays as it is
 * @throws Fault `own-device-removed`, or as `editKeyring`
 */
export function enrolOwn(
  files: PrivateFiles,
  path: string,
  gateway: string,
  entry: Omit<KeyringEntry, 'name'>,
): Promise<string> {
  return editKeyring(files, path, draft => {
    const known = draft.entry(entry.id);
    if (known !== undefined) return known.name;
    if (draft.taken(entry.id))
      throw new Fault(
        'own-device-removed',
        `the gateway’s own device ${entry.id} was removed from the keyring`,
        'take panel.enclosure out of the configuration; or delete own-device in the data directory for a new identity',
      );
    const name = draft.freeName(NAME.test(gateway) ? gateway : 'gateway');
    draft.add({ ...entry, name });
    return name;
  });
}
