/** What every view is given, and what it is. */
import type { Connection } from './connection.js';
import type { FleetStore } from './fleet-store.js';

export interface View {
  readonly title: string;
  readonly element: HTMLElement;
  /** Lets go of streams, timers and plots. */
  destroy(): void;
}

export interface Context {
  readonly connection: Connection;
  readonly fleet: FleetStore;
  /** Tells something for a few seconds. */
  notice(text: string, level?: 'bad'): void;
  /** Calls `listener` when what is allowed has changed, until the function that it returns is called. */
  onAccess(listener: () => void): () => void;
  /** Resolves once changes are allowed: at once, or after the token was given; false: it was not. */
  unlock(why: string): Promise<boolean>;
}

/** What is to be undone when a view goes. */
export class Cleanup {
  readonly #undo: (() => void)[] = [];

  add(...undo: (() => void)[]): void {
    this.#undo.push(...undo);
  }

  run(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}
