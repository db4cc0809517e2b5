/** Seals one reading after another, with the digest of a virtual board and with one that costs nothing. */
import { type Digest, label, Sealer } from '../../../firmware/seal/index.js';
import { type DigestName, digests } from './digests.js';
import { offer } from './exported.js';

const temperature = label('temperature', 'Cel');
const voltage = label('supply', 'V');
const open = label('open');

/** A device that measures a float, a half float and a bool, with a synchronised clock. */
class Bench {
  readonly #sealer: Sealer;
  #uptimeMs = 1000;

  constructor(digest: Digest) {
    this.#sealer = new Sealer(digest, new Uint8Array(8).fill(7));
    this.#sealer.startEpoch(1, new Uint8Array(32).fill(9));
  }

  /** @returns the bytes sealed */
  seal(count: number): number {
    const sealer = this.#sealer;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      this.#uptimeMs += 1000;
      const out = sealer.begin(this.#uptimeMs, 1_800_000_000_000 + this.#uptimeMs);
      out.number(temperature, 21.37 + (i & 15) / 100);
      out.number(voltage, 3.25);
      out.bool(open, (i & 1) === 1);
      const length = sealer.seal();
      if (length === 0) throw new Error(`not sealed: ${sealer.fault}`);
      bytes += length;
    }
    return bytes;
  }
}

const benches = { noble: new Bench(digests.noble), free: new Bench(digests.free) };

offer({ seal: (name: DigestName, count: number) => benches[name].seal(count) });
