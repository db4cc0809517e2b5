/**
 * Bytes that failed a gate before, put through the gates again: after a device was added to the keyring, say. They get
 * no other treatment than what comes in over a link, save that nobody is told anything.
 */
import { SHORT_TAG_BYTES, toHex } from '../../firmware/seal/index.js';
import { isEnvelope } from '../journal/payload.js';
import type { DerivationBudget } from '../keyring/budget.js';
import type { Device } from './devices.js';
import type { GateReason } from './gate.js';
import type { SdkIntake } from './sdk-intake.js';
import type { Shared } from './shared.js';

/** `waiting`: the journal has taken it, and the disk takes its time. The others as in `QuarantineRelease`. */
export type Outcome = 'journalled' | 'waiting' | 'known' | 'early' | 'evidence' | 'refused' | 'busy';

export interface Reconsidered {
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly device?: string;
  readonly epoch?: number;
  readonly seq?: number;
}

const LOOK_MS = 20;
const DURABLE_MS = 5000;

export class Reconsidering {
  readonly #shared: Shared;
  readonly #sdk: SdkIntake;
  readonly #budget: DerivationBudget;

  constructor(shared: Shared, sdk: SdkIntake) {
    this.#shared = shared;
    this.#sdk = sdk;
    this.#budget = shared.readingBudget();
  }

  /** What the gates say of bytes now; '' when they are an authentic reading. */
  judge(bytes: Uint8Array): GateReason | '' {
    return isEnvelope(bytes)
      ? this.#shared.gate.reading(bytes, 0, bytes.length, undefined, this.#budget)
      : this.#sdk.judge(bytes);
  }

  /** @param link stands in the journal as where it came from */
  async take(bytes: Uint8Array, link: string): Promise<Reconsidered> {
    this.#shared.counters.add('reconsidered');
    return isEnvelope(bytes) ? this.#sealed(bytes, link) : this.#framed(bytes, link);
  }

  async #sealed(bytes: Uint8Array, link: string): Promise<Reconsidered> {
    const { gate, devices, acceptor, counters } = this.#shared;
    const reason = gate.reading(bytes, 0, bytes.length, undefined, this.#budget);
    if (reason !== '' || gate.entry === undefined) return { outcome: 'refused', reason };
    const device = devices.of(gate.entry.id);
    const { epoch, seq, tagAt } = gate.envelope;
    const verdict = acceptor.take(device, gate.envelope, bytes, 0, bytes.length, link, device.hello);
    device.count(verdict);
    const place = { device: device.id, epoch, seq };
    switch (verdict) {
      case 'next':
      case 'gap':
        return { outcome: await this.#durable(device, epoch, seq), ...place };
      case 'fork': {
        const tag8 = toHex(bytes, tagAt, tagAt + SHORT_TAG_BYTES);
        const kept = await acceptor.contradiction(device, 'fork', link, epoch, seq, bytes, tag8);
        counters.add(`evidence:${kept}`);
        return { outcome: kept === 'failed' ? 'busy' : 'evidence', ...place };
      }
      case 'early':
      case 'busy':
        return { outcome: verdict, ...place };
      default:
        return { outcome: 'known', ...place };
    }
  }

  async #framed(bytes: Uint8Array, link: string): Promise<Reconsidered> {
    const taken = this.#sdk.retake(bytes, link);
    if ('refused' in taken) return { outcome: 'refused', reason: taken.refused };
    const { verdict, device, epoch, seq } = taken;
    const place = { device: device.id, epoch, seq };
    if (verdict === 'busy') return { outcome: 'busy', ...place };
    if (verdict === 'replay') return { outcome: 'known', ...place };
    if (verdict === 'fork') return { outcome: 'evidence', ...place };
    return { outcome: await this.#durable(device, epoch, seq), ...place };
  }

  /** Resolves when the reading is durable, or when that takes too long to be waited for. */
  #durable({ positions }: Device, epoch: number, seq: number): Promise<'journalled' | 'waiting'> {
    const { clock } = this.#shared;
    const until = clock.monotonic() + DURABLE_MS;
    return new Promise(resolve => {
      const look = () => {
        if (positions.isDurable(epoch, seq)) resolve('journalled');
        else if (clock.monotonic() >= until) resolve('waiting');
        else clock.after(LOOK_MS, look);
      };
      look();
    });
  }
}
