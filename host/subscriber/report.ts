import type { Gap } from './history.js';

/** What a subscriber tells besides readings. Nothing of it was verified unless it says so. */
export type Report =
  /** Bytes on a sealed topic that are no reading. */
  | { readonly kind: 'refused'; readonly reason: string; readonly topic: string; readonly device?: string }
  /** Authentic, but not the reading that is known for its place: cloning, or a stolen key. */
  | { readonly kind: 'fork'; readonly device: string; readonly epoch: number; readonly seq: number }
  /** Authentic, but so old that nobody knows whether it was had: not printed. */
  | { readonly kind: 'stale'; readonly device: string; readonly epoch: number; readonly seq: number }
  /** The first envelope of a device that the keyring does not have. */
  | { readonly kind: 'unknown-device'; readonly device: string }
  /** Held envelopes that had to go for newer ones. */
  | { readonly kind: 'held-dropped'; readonly count: number }
  /** `reasons`: what gateways said of a final one. */
  | {
      readonly kind: 'gap';
      readonly stage: GapStage;
      readonly gap: Gap;
      readonly reasons: readonly string[];
    }
  /** `gateway` goes on for `from`, restored from its backup. `speaks`: `from` is there all the same. */
  | {
      readonly kind: 'handover';
      readonly site: string;
      readonly gateway: string;
      readonly from: string;
      readonly speaks: boolean;
    }
  | { readonly kind: 'connection'; readonly online: boolean; readonly text: string; readonly remedy: string };

/** `provisional`: noticed, may still arrive. `final`: lost on the way. `forgotten`: too many to watch. */
export type GapStage = 'provisional' | 'closed' | 'final' | 'forgotten';

export function gapText({ device, fromEpoch, fromSeq, toEpoch, toSeq }: Gap): string {
  if (fromEpoch === toEpoch) {
    const count = toSeq - fromSeq;
    const range = count === 1 ? `reading ${fromSeq}` : `readings ${fromSeq} to ${toSeq - 1}`;
    return `${device} epoch ${fromEpoch}: ${range} missing`;
  }
  const rest = toSeq > 0 ? ` and before reading ${toSeq} of epoch ${toEpoch}` : '';
  const between = toEpoch - fromEpoch > 1 ? ` and in the epochs up to ${toEpoch}` : '';
  return fromSeq === 0
    ? `${device}: whatever epoch ${fromEpoch} had${between}${rest} is missing`
    : `${device} epoch ${fromEpoch} ended without a word after reading ${fromSeq - 1}: what followed${between}${rest}, if anything, is missing`;
}
