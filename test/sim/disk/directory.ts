/**
 * A directory as everybody sees it, and as the disk holds it. What was created, renamed or removed is durable once the
 * directory has been synced; before that, a power cut keeps any part of it, a rename wholly or not at all.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Inode } from './inode.js';

export type Node = Inode | Directory;

/** `from`: the name that goes; `to`: the name that leads to `node` then. */
interface Change {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly node: Node;
}

export class Directory {
  readonly kind = 'directory';
  readonly path: string;
  readonly entries = new Map<string, Node>();
  durableLinks = 0;
  readonly #durable = new Map<string, Node>();
  #pending: Change[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** What surely survives a power cut, if this directory does. */
  get durable(): ReadonlyMap<string, Node> {
    return this.#durable;
  }

  link(name: string, node: Node): void {
    this.#change({ from: undefined, to: name, node });
  }

  unlink(name: string): void {
    this.#change({ from: name, to: undefined, node: this.entries.get(name)! });
  }

  rename(from: string, to: string): void {
    this.#change({ from, to, node: this.entries.get(from)! });
  }

  /** @param changes how many of those that are pending; all unless said otherwise */
  synced(changes = this.#pending.length): void {
    for (const change of this.#pending.splice(0, changes)) this.#settle(change);
  }

  get pendingChanges(): number {
    return this.#pending.length;
  }

  syncFailed(chance: SeededRandom): void {
    this.synced(chance.below(this.#pending.length + 1));
  }

  /** Any legal part of what was not synced is kept: in the order of a file system's log, or each by itself. */
  powerCut(chance: SeededRandom): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    const inOrder = chance.unit() < 0.5;
    const kept = inOrder ? chance.below(pending.length + 1) : 0;
    pending.forEach((change, index) => {
      if (inOrder ? index < kept : chance.unit() < 0.5) this.#settle(change);
    });
    this.entries.clear();
    for (const [name, node] of this.#durable) this.entries.set(name, node);
  }

  #change(change: Change): void {
    apply(change, this.entries);
    this.#pending.push(change);
  }

  #settle(change: Change): void {
    const { from, to, node } = change;
    // An entry whose creation was not kept can't be removed; one that has come to lead elsewhere stays.
    if (from !== undefined && this.#durable.get(from) === node) {
      this.#durable.delete(from);
      node.durableLinks--;
    }
    if (to === undefined) return;
    const replaced = this.#durable.get(to);
    if (replaced !== undefined) replaced.durableLinks--;
    this.#durable.set(to, node);
    node.durableLinks++;
  }
}

function apply({ from, to, node }: Change, entries: Map<string, Node>): void {
  if (from !== undefined) entries.delete(from);
  if (to !== undefined) entries.set(to, node);
}
