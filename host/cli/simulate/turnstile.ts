/**
 * Lets only so many through at a time. A gateway keeps few connections open that have not said yet who they
 * are: a thousand devices that come up together would push each other out.
 */
export class Turnstile {
  readonly #width: number;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(width: number) {
    this.#width = width;
  }

  /** Runs `go` as soon as there is room. @returns what gives the place back, or gives up waiting for it */
  enter(go: () => void): () => void {
    let left = false;
    let admitted = false;
    const admit = () => {
      admitted = true;
      this.#inside++;
      go();
    };
    if (this.#inside < this.#width) admit();
    else this.#waiting.add(admit);
    return () => {
      if (left) return;
      left = true;
      if (!admitted) {
        this.#waiting.delete(admit);
        return;
      }
      this.#inside--;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
