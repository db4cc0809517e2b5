/** A session of a device, and what its link does for what happens in it. */
import type { Device, HelloFacts, Speaker } from './devices.js';
import type { Addressee } from './down.js';
import type { Familiar, GateReason } from './gate.js';

/** An open session. */
export interface Session extends Addressee, Familiar, Speaker {
  readonly device: Device;
  readonly hello: HelloFacts;
  timeAnsweredMs: number;
}

export interface SessionLink {
  /** Undefined while none is open. */
  readonly session: Session | undefined;
  /** Challenges unless that has just been done. */
  challenge(): void;
  /** Counts a frame that failed a gate and gives its bytes to the quarantine. */
  refuse(reason: GateReason, bytes: Uint8Array, from: number, to: number): void;
}
