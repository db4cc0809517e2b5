/** What the keyring needs of a file system; `host/node/private-files.ts` is the real one. Paths are absolute. */
export interface PrivateFiles {
  /** Undefined when there is no such file. `mode` holds the permission bits of the very file that was read. */
  read(path: string, maxBytes: number): Promise<{ bytes: Uint8Array; mode: number } | undefined>;
  /** Makes a file that was not there, readable by its owner alone. @throws Fault `file-exists` */
  create(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * Puts a whole new content in place, or leaves the old one: written beside it, synced, renamed, directory
   * synced. Readable by the owner alone; an existing file's owner keeps it.
   */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** Runs `work` while no other process holds the lock that goes with `path`. The lock dies with the process. */
  locked<T>(path: string, work: () => Promise<T>): Promise<T>;
  /** Changes whenever the file is replaced, written or re-permissioned; '' when it is not there. */
  stamp(path: string): Promise<string>;
}
