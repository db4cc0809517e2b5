/**
 * When a reading was taken that its device had no clock for. Before its first synchronisation in an epoch, a device
 * states only its uptime; any reading of the same epoch that states both says how the two go together. Until there is
 * one, each reading says this much: it was taken before it came in, so its epoch's uptime began no later than that
 * instant less its uptime. The earliest of these is the best guess there is.
 *
 * What is sealed is not touched: this is for the readable copy alone, which says how it came to its time.
 */
import { EnvelopeReader } from '../../firmware/seal/index.js';
import { isEnvelope } from '../journal/payload.js';

/** `recovered`: from another reading of the epoch. `received`: no later than this. */
export type TimeOrigin = 'recovered' | 'received';

export interface Instant {
  readonly unixMs: number;
  readonly from: TimeOrigin;
}

interface Epoch {
  /** Unix ms at uptime 0. */
  offsetMs: number;
  exact: boolean;
}

/** The part of a journalled reading that this is about. */
export interface Timed {
  readonly device: string;
  /** When the gateway received it, Unix ms. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const MAX_EPOCHS = 4096;

export class TimeMap {
  readonly #epochs = new Map<string, Epoch>();
  readonly #envelope = new EnvelopeReader();

  /** Learns from a reading, in whatever order they come. */
  observe(reading: Timed & { readonly epoch: number }): void {
    const { device, at, bytes, epoch } = reading;
    // Most epochs are known after their first readings: these cost no more than this.
    if (this.#epochs.get(key(device, epoch))?.exact || !isEnvelope(bytes)) return;
    const envelope = this.#envelope;
    if (envelope.parse(bytes, 0, bytes.length) !== '') return;
    this.#learn(device, envelope.epoch, envelope.uptimeMs, envelope.unixMs, at);
  }

  /** The instant of a reading that states only its uptime; never later than it came in. */
  recover(device: string, epoch: number, uptimeMs: number, at: number): Instant {
    this.#learn(device, epoch, uptimeMs, -1, at);
    const { offsetMs, exact } = this.#epochs.get(key(device, epoch))!;
    return { unixMs: offsetMs + uptimeMs, from: exact ? 'recovered' : 'received' };
  }

  #learn(device: string, epoch: number, uptimeMs: number, unixMs: number, at: number): void {
    const name = key(device, epoch);
    const known = this.#epochs.get(name);
    if (known?.exact) return;
    const offsetMs = unixMs >= 0 ? unixMs - uptimeMs : Math.min(at - uptimeMs, known?.offsetMs ?? Infinity);
    if (known === undefined) {
      if (this.#epochs.size >= MAX_EPOCHS) {
        const [oldest] = this.#epochs.keys();
        this.#epochs.delete(oldest!);
      }
      this.#epochs.set(name, { offsetMs, exact: unixMs >= 0 });
    } else {
      known.offsetMs = offsetMs;
      known.exact = unixMs >= 0;
    }
  }
}

const key = (device: string, epoch: number) => `${device} ${epoch}`;
