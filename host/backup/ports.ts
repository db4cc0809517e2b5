/** What backups want of the machine. */
import type { LinkingStorage } from '../ports.js';

/** SHA-256 of what is given piece by piece. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** 64 hex digits; once. */
  hex(): string;
}

/** A whole file of at most so many bytes; undefined when there is none; throws a Fault otherwise. */
export type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array | undefined>;

export interface BackupPorts {
  readonly storage: LinkingStorage;
  readonly readFile: ReadFile;
  readonly hash: () => Hash;
}
