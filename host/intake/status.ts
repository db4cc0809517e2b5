/** What `sovereign status` shows of the intake. Times are Unix ms. */
import type { DeviceCount } from './devices.js';
import type { EvidenceStatus } from './evidence.js';
import type { QuarantineStatus } from './quarantine.js';

export interface LinkStatus {
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

export interface DeviceStatus {
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

export interface IntakeStatus {
  readonly links: readonly LinkStatus[];
  readonly devices: readonly DeviceStatus[];
  readonly counters: Readonly<Record<string, number>>;
  readonly quarantine: QuarantineStatus;
  readonly evidence: EvidenceStatus;
}
