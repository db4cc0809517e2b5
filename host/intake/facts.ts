/** What the intake says of itself; `host/control/node-status.ts` makes its part of a status out of it. Times are Unix ms. */
import type { DeviceCount } from './devices.js';
import type { EvidenceFacts } from './evidence.js';
import type { QuarantineFacts } from './quarantine.js';

export interface LinkFacts {
  readonly name: string;
  readonly since: number;
  /** The device whose session is open on it. */
  readonly device?: string;
  readonly frames: number;
  readonly noiseBytes: number;
  readonly noiseFrames: number;
  readonly oversized: number;
  readonly pendingBytes: number;
}

export interface DeviceFacts {
  readonly id: string;
  /** The alias of the keyring; absent for a device that is in the journal alone. */
  readonly name?: string;
  /** The last durable reading; absent when there is none. */
  readonly epoch?: number;
  readonly seq?: number;
  /** When something authentic came last; absent when nothing has since the gateway began. */
  readonly heardAt?: number;
  /** Nothing for three heartbeats, though it has been heard before. */
  readonly silent: boolean;
  /** The link of its session. */
  readonly link?: string;
  /** Whether its own clock was set at its last reading. */
  readonly clock?: 'synchronised' | 'unsynchronised';
  /** dBm. */
  readonly signal?: number;
  readonly backlog?: number;
  readonly losses?: number;
  readonly firmware?: string;
  readonly restart?: string;
  /** Settings of its sources: the version that is meant for it, what it has taken, and why it refused. */
  readonly settings?: {
    readonly version: number;
    readonly acknowledged: number;
    readonly supported: boolean;
    readonly fault?: string;
  };
  readonly counts: Readonly<Partial<Record<DeviceCount, number>>>;
}

export interface IntakeFacts {
  readonly links: readonly LinkFacts[];
  readonly devices: readonly DeviceFacts[];
  readonly counters: Readonly<Record<string, number>>;
  readonly quarantine: QuarantineFacts;
  readonly evidence: EvidenceFacts;
}
