/** Lines of receipted readings on their way to standard output. */
import type { Output } from '../output.js';

/** Beyond this, devices are paused until the reader has caught up. */
const MAX_LINES = 4096;

export class ReceiptLines {
  readonly #output: Output;
  readonly #full: (full: boolean) => void;
  readonly #failed: (error: unknown) => void;
  #lines: string[] = [];
  #writing: Promise<void> | undefined;
  #paused = false;

  /** @param full told when the queue is full, and when there is room again */
  constructor(output: Output, full: (full: boolean) => void, failed: (error: unknown) => void) {
    this.#output = output;
    this.#full = full;
    this.#failed = failed;
  }

  add(device: string, epoch: number, seq: number, sha256: string): void {
    this.#lines.push(JSON.stringify({ device, epoch, seq, sha256 }));
    this.#writing ??= this.#write();
    if (this.#lines.length < MAX_LINES || this.#paused) return;
    this.#paused = true;
    this.#full(true);
  }

  /** Resolves when everything was handed to the kernel. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      // What comes in the same turn of the event loop goes out in one piece.
      await Promise.resolve();
      while (this.#lines.length > 0) {
        const text = this.#lines.join('\n');
        this.#lines = [];
        await this.#output.line(text);
        if (!this.#paused || this.#lines.length >= MAX_LINES) continue;
        this.#paused = false;
        this.#full(false);
      }
    } catch (error) {
      this.#lines = [];
      this.#failed(error);
    } finally {
      this.#writing = undefined;
    }
  }
}
