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
  /** 16 hex digits. */
  readonly id: string;
  /** The alias of the keyring; absent for a device that is in the journal but no longer in the keyring. */
  readonly name?: string;
  /** A sensor of sovereign-sdk, which has no sessions. */
  readonly sdk?: true;
  /** The last durable reading; absent when there is none. */
  readonly epoch?: number;
  readonly seq?: number;
  /** When something authentic came last; absent while nothing has since the gateway began. */
  readonly heardAt?: number;
  /** Heard before, and not for three heartbeats: longer than devices ever are. */
  readonly silent: boolean;
  /** The link of its session; absent while it has none. */
  readonly link?: string;
  /** Of its last reading: whether its own clock was set. Absent when none has come since the gateway began. */
  readonly clock?: 'synchronised' | 'unsynchronised';
  /** dBm, as its last heartbeat told; absent for a device that does not tell. */
  readonly signal?: number;
  /** Its own backlog, readings that it holds until they are receipted; and readings that it has lost. As its last hello or heartbeat said. */
  readonly backlog?: number;
  readonly losses?: number;
  /** Of its last hello: its firmware, and why it began. */
  readonly firmware?: string;
  readonly restart?: string;
  /** Settings of its sources: the version that is meant for it, what it has taken, and why it refused. */
  readonly settings?: {
    readonly version: number;
    readonly acknowledged: number;
    readonly supported: boolean;
    readonly fault?: string;
  };
  /** Verdicts since the gateway began. */
  readonly counts: Readonly<Partial<Record<DeviceCount, number>>>;
}

export interface IntakeFacts {
  readonly links: readonly LinkFacts[];
  readonly devices: readonly DeviceFacts[];
  readonly counters: Readonly<Record<string, number>>;
  readonly quarantine: QuarantineFacts;
  readonly evidence: EvidenceFacts;
}
