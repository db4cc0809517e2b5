/** A guarantee does not hold: the seed is a failure. */
export class Violation extends Error {
  /** The guarantee, in a few words. */
  readonly what: string;

  constructor(what: string, details: string) {
    super(`${what}: ${details}`);
    this.name = 'Violation';
    this.what = what;
  }
}

export function systemError(code: string): Error & { code: string } {
  return Object.assign(new Error(`${code}: injected`), { code });
}
