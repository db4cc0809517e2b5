/** One line of `simulate --json`, and the part of a line of `subscribe --json` that it can be held against. */
export interface Sealed {
  device: string;
  epoch: number;
  seq: number;
  sha256: string;
}

/** Holds what devices were receipted against what the subscriber printed. */
export class Ledger {
  readonly #receipted = new Map<string, string>();
  readonly #printed = new Map<string, string>();
  /** What can't be: a reading receipted twice, or under two digests. */
  readonly contradictions: string[] = [];
  repeats = 0;

  get receipted(): number {
    return this.#receipted.size;
  }

  get printed(): number {
    return this.#printed.size;
  }

  receipt(line: string): void {
    const { key, sha256 } = parse(line);
    const before = this.#receipted.get(key);
    if (before !== undefined) this.contradictions.push(`receipted twice: ${key}`);
    this.#receipted.set(key, sha256);
  }

  print(line: string): void {
    const { key, sha256 } = parse(line);
    const before = this.#printed.get(key);
    if (before !== undefined) {
      this.repeats++;
      if (before !== sha256) this.contradictions.push(`printed with two digests: ${key}`);
    }
    this.#printed.set(key, sha256);
  }

  /** Receipted and not printed, or printed with other bytes. */
  missing(): string[] {
    return [...this.#receipted]
      .filter(([key, sha256]) => this.#printed.get(key) !== sha256)
      .map(([key]) => key);
  }
}

function parse(line: string): { key: string; sha256: string } {
  const { device, epoch, seq, sha256 } = JSON.parse(line) as Sealed;
  return { key: `${device}/${epoch}/${seq}`, sha256 };
}
