import type { KeyringEntry } from '../../keyring/entry.js';
import { Lateness } from './lateness.js';
import type { View } from './view.js';

/** What a device says is published no more often: a dashboard has no use for more, and a database less than none. */
export const STATE_EVERY_MS = 1000;

/** A device that Home Assistant is told of. */
export class Tracked {
  readonly view: View;
  readonly lateness = new Lateness();
  name: string;
  readonly sdk: boolean;
  /** Monotonic ms of its last reading; -1: none since the gateway began. */
  heardMs = -1;
  /** Monotonic ms; when what it says was last published. */
  statedMs = -STATE_EVERY_MS;
  /** Undefined until it is heard, or has been silent for long enough: then what is retained stays. */
  available: boolean | undefined;
  /** How often it was written into the book, and the last of these times that is durable. */
  written = 0;
  saved = 0;

  constructor(view: View, { name, sdk }: KeyringEntry) {
    this.view = view;
    this.name = name;
    this.sdk = sdk !== undefined;
  }

  /** The book has it, as it is. */
  get booked(): boolean {
    return this.saved === this.written;
  }
}
