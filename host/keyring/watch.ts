/**
 * A keyring that follows its file. The file is looked at once a second rather than watched: that sees every
 * way of changing it (rename, edit in place, chmod, a file system without notifications) and costs one `stat`.
 */
import { Fault } from '../fault.js';
import type { Clock, Log, Timer } from '../ports.js';
import type { KeyringEntry, KeyringView } from './entry.js';
import { Keyring } from './file.js';
import type { PrivateFiles } from './files.js';

const LOOK_MS = 1000;
/** No file has this stamp. */
const UNSEEN = 'unseen';

export interface KeyringWatchPorts {
  readonly files: PrivateFiles;
  readonly clock: Clock;
  readonly log: Log;
}

export class KeyringWatch implements KeyringView {
  readonly #ports: KeyringWatchPorts;
  readonly #path: string;
  readonly #listeners: ((keyring: Keyring) => void)[] = [];
  #keyring: Keyring;
  /** Of the file as it was last looked into, well-formed or not. */
  #stamp: string;
  #fault: Fault | undefined;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(ports: KeyringWatchPorts, path: string, keyring: Keyring, stamp: string) {
    this.#ports = ports;
    this.#path = path;
    this.#keyring = keyring;
    this.#stamp = stamp;
    this.#later();
  }

  /** Loads the keyring and follows it until `close`. @throws Fault when the first load fails */
  static async open(ports: KeyringWatchPorts, path: string): Promise<KeyringWatch> {
    const stamp = await ports.files.stamp(path); // before the load: a change in between is seen again
    return new KeyringWatch(ports, path, await Keyring.load(path, ports.files), stamp);
  }

  get current(): Keyring {
    return this.#keyring;
  }

  /** Why the file as it is now is not used; undefined while it is. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  get size(): number {
    return this.#keyring.size;
  }

  get(id: string): KeyringEntry | undefined {
    return this.#keyring.get(id);
  }

  byNode(node: string): KeyringEntry | undefined {
    return this.#keyring.byNode(node);
  }

  byName(name: string): KeyringEntry | undefined {
    return this.#keyring.byName(name);
  }

  entries(): Iterable<KeyringEntry> {
    return this.#keyring.entries();
  }

  /** Called with every new content. */
  onChange(listener: (keyring: Keyring) => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the file now. A broken file leaves the keyring that there is. */
  async look(): Promise<void> {
    const { files, log } = this.#ports;
    try {
      const stamp = await files.stamp(this.#path);
      if (stamp === this.#stamp) return;
      this.#stamp = stamp;
      const keyring = await Keyring.load(this.#path, files);
      if (this.#closed) return;
      this.#keyring = keyring;
      this.#fault = undefined;
      log.info('keyring-changed', { file: this.#path, devices: keyring.size });
      for (const listener of this.#listeners) listener(keyring);
    } catch (error) {
      const fault =
        error instanceof Fault
          ? error
          : new Fault('keyring-unreadable', `cannot read ${this.#path}: ${String(error)}`, '', error);
      // A content stays what it is; a disk or a permission may be better next time.
      if (fault.code !== 'keyring-invalid') this.#stamp = UNSEEN;
      if (fault.message === this.#fault?.message) return;
      this.#fault = fault;
      log.error('keyring-not-taken', {
        file: this.#path,
        error: fault.message,
        remedy: fault.remedy,
        kept: this.#keyring.size,
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = this.#ports.clock.after(LOOK_MS, () => void this.look().then(() => this.#later()));
  }
}
