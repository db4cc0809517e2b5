import type { World } from './world.js';

const MAX_LINES = 200_000;

/** What happened, in order. Off in runs that only want to know whether all is well. */
export class Trace {
  readonly on: boolean;
  readonly lines: string[] = [];
  readonly #world: World;

  constructor(world: World, on: boolean) {
    this.#world = world;
    this.on = on;
  }

  /** @param who an actor or `fault` */
  note(who: string, what: string, detail = ''): void {
    if (!this.on || this.lines.length >= MAX_LINES) return;
    const time = (this.#world.nowMs / 1000).toFixed(3).padStart(10);
    this.lines.push(`${time} ${who}: ${what}${detail === '' ? '' : ` ${detail}`}`);
  }
}
