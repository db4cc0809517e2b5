/** Verifies payload by payload, and looks at how the readings of a device follow each other. */
import { type Digest, toHex } from '../../../firmware/seal/index.js';
import type { ReadingEntry } from '../../journal/entry.js';
import { Budget } from '../../keyring/budget.js';
import { EPOCH_WINDOW } from '../../keyring/chains.js';
import type { KeyringView } from '../../keyring/entry.js';
import { type OpenedReading, Opener, type Refused } from '../../subscriber/open.js';

export type Verdict =
  | (OpenedReading & { readonly sha256: string; readonly repeated: boolean; readonly missing: number })
  | {
      readonly ok: false;
      /** Besides what `Opener` says: `line` for a journal line that speaks of another reading than it holds,
       * `fork` for two readings in one place or a link that does not hold. */
      readonly reason: Refused['reason'] | 'line-mismatch' | 'fork';
      readonly device?: string;
      readonly epoch?: number;
      readonly seq?: number;
    };

/** So far past a base is looked for offline; a keyring that stands further back needs `device export --epoch`. */
const MAX_AHEAD_EPOCHS = 1_000_000;
/** About two minutes of derivations for files that make epochs up; none of it comes back. */
const MAX_DERIVATIONS = 20_000_000;
/** Tags remembered a device, to tell a repetition from a fork. */
const MAX_TAGS = 65_536;

interface Last {
  epoch: number;
  seq: number;
  tag8: string;
  readonly tags: Map<string, string>;
}

export class Judge {
  readonly #keyring: KeyringView;
  readonly #digest: Digest;
  readonly #opener: Opener;
  readonly #last = new Map<string, Last>();

  constructor(keyring: KeyringView, digest: Digest) {
    this.#keyring = keyring;
    this.#digest = digest;
    const still = { monotonic: () => 0 };
    this.#opener = new Opener(keyring, digest, new Budget(still, { perSecond: 0, burst: MAX_DERIVATIONS }));
  }

  judge(bytes: Uint8Array, line?: ReadingEntry): Verdict {
    const opened = this.#open(bytes);
    if (!opened.ok) return opened;
    const { device, epoch, seq, tag8 } = opened;
    this.#opener.accepted(device, epoch);
    const place = { device, epoch, seq };
    if (line && (line.device !== device || line.epoch !== epoch || line.seq !== seq || line.tag8 !== tag8))
      return { ok: false, reason: 'line-mismatch', ...place };
    const hash = new Uint8Array(32);
    this.#digest.sha256(bytes, 0, bytes.length, hash, 0);
    const followed = this.#follow(opened);
    return followed === 'fork'
      ? { ok: false, reason: 'fork', ...place }
      : { ...opened, sha256: toHex(hash), ...followed };
  }

  /** Opens; walks towards epochs that lie far past the base, for those that only the journal has seen. */
  #open(bytes: Uint8Array): OpenedReading | Refused {
    let opened = this.#opener.open(bytes);
    if (opened.ok || opened.reason !== 'too-far' || opened.device === undefined) return opened;
    const { device, epoch = 0 } = opened;
    const base = this.#keyring.get(device)?.epoch ?? 0;
    if (epoch - base > MAX_AHEAD_EPOCHS) return opened;
    this.#opener.accepted(device, epoch - EPOCH_WINDOW);
    // The way is walked in steps of bounded length.
    for (let i = 0; i < 64; i++) {
      opened = this.#opener.open(bytes);
      if (opened.ok || opened.reason !== 'budget') break;
    }
    return opened;
  }

  /** How the reading follows what came before it of this device. */
  #follow(reading: OpenedReading): { repeated: boolean; missing: number } | 'fork' {
    const { device, epoch, seq, tag8, prev8, sdk } = reading;
    const place = `${epoch}:${seq}`;
    const last = this.#last.get(device);
    if (last === undefined) {
      this.#last.set(device, { epoch, seq, tag8, tags: new Map([[place, tag8]]) });
      return { repeated: false, missing: 0 };
    }
    const known = last.tags.get(place);
    if (known !== undefined) return known === tag8 ? { repeated: true, missing: 0 } : 'fork';
    const before = last.tags.get(`${epoch}:${seq - 1}`);
    if (!sdk && before !== undefined && before !== prev8) return 'fork';
    last.tags.set(place, tag8);
    if (last.tags.size > MAX_TAGS) last.tags.delete(last.tags.keys().next().value ?? '');
    const missing = epoch === last.epoch && seq > last.seq + 1 ? seq - last.seq - 1 : 0;
    if (epoch > last.epoch || (epoch === last.epoch && seq > last.seq))
      Object.assign(last, { epoch, seq, tag8 });
    return { repeated: false, missing };
  }
}
