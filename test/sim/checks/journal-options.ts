/** What a journal is held against. */
import type { DevicePosition } from '../../../host/journal/entry.js';
import type { JournalCheck } from './journal.js';
import type { GapLine } from './journal-line.js';
import type { StoreLimits } from './journal-stores.js';

export interface SealedReadings {
  /** What has exactly these bytes; undefined: no device sealed them. */
  find(payload: Uint8Array): unknown;
  /** Two memories of a device have existed: it may have two readings for one place. */
  forked?(device: string): boolean;
}

/** From where a journal goes on. */
export interface JournalOrigin {
  /** Of the gateway that was backed up. */
  readonly before: JournalCheck;
  /** Where each device stood, as the backup says. */
  readonly positions: ReadonlyMap<string, DevicePosition>;
  /** Where its own entries begin; what is below was copied. */
  readonly offset: number;
}

export interface JournalCheckOptions {
  readonly dataDirectory: string;
  readonly limits: StoreLimits;
  readonly ledger?: SealedReadings;
  /** A gap has become durable. */
  readonly gap?: (line: GapLine) => void;
  /** It goes on with the journal of a gateway that was backed up. */
  readonly origin?: JournalOrigin;
}
