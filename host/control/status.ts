/** What a running gateway says of itself, the same wherever it says it. Times are Unix ms. */
import type { HandoverStatus } from '../backup/handover.js';
import type { DeviceFacts } from '../intake/facts.js';

export interface NodeStatus {
  readonly version: string;
  /** What it runs on, with its version: `node v20.15.0`. */
  readonly runtime: string;
  readonly pid: number;
  readonly site: string;
  readonly gateway: string;
  readonly configFile: string;
  readonly dataDirectory: string;
  /** Absent: this gateway was never restored from a backup. */
  readonly handover?: HandoverStatus;
  /** When the last backup of it was begun; absent when there was none. */
  readonly lastBackupAt?: number;
  readonly startedAt: number;
  readonly uptimeMs: number;
  /** What it takes of the machine; absent where nobody tells. */
  readonly process?: ProcessStatus;
  /** Whether it does its work; absent where nobody watches over it. */
  readonly health?: HealthStatus;
  readonly clock: ClockStatus;
  readonly keyring: KeyringStatus;
  /** What is open at the moment, at most `MAX_LINKS` of them. */
  readonly links: readonly LinkStatus[];
  /** How many are open. */
  readonly linkCount: number;
  /** At most `MAX_DEVICES`: those that are silent or have a twin, then those heard last. */
  readonly devices: readonly DeviceStatus[];
  /** How many are known, by the keyring or by the journal. */
  readonly deviceCount: number;
  readonly journal: JournalStatus;
  /** Absent when the configuration has no uplink. */
  readonly uplink?: UplinkStatus;
  readonly quarantine: QuarantineStatus;
  /** Everything that is counted of the intake, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** The least that is logged; absent where the log has no level that could be set. */
  readonly log?: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
}

export interface ProcessStatus {
  /** Memory, and how much of it JavaScript's objects fill. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Of all cores, since it began. */
  readonly cpuSeconds: number;
}

export type HealthPart = 'intake' | 'journal' | 'uplink';

export interface HealthStatus {
  readonly ok: boolean;
  readonly parts: Readonly<Record<HealthPart, { readonly ok: boolean; readonly fault?: string }>>;
}

export const MAX_LINKS = 1024;
export const MAX_DEVICES = 4096;

export interface ClockStatus {
  readonly at: number;
  /** Absent where the system does not tell. */
  readonly synchronised?: boolean;
}

export interface KeyringStatus {
  readonly devices: number;
  /** Why the file as it is now is not used. */
  readonly fault?: string;
}

export interface LinkStatus {
  readonly name: string;
  /** Ids of the devices that speak over it. */
  readonly devices: readonly string[];
  /** Open since. */
  readonly since?: number;
  /** Frames that came in order, and what came that was none: bytes between frames, broken frames, too long ones. */
  readonly frames?: number;
  readonly noiseBytes?: number;
  readonly noiseFrames?: number;
  readonly oversized?: number;
  /** Bytes that the peer has not taken yet. */
  readonly pendingBytes?: number;
}

/** What the intake knows of it, and what the journal does. */
export interface DeviceStatus extends DeviceFacts {
  /** Readings and gaps journalled since the journal began. */
  readonly readings: number;
  readonly gaps: number;
  /** Has a session. */
  readonly online: boolean;
}

export interface JournalStatus {
  readonly state: 'ok' | 'stalled';
  /** Why it is stalled. */
  readonly fault?: string;
  readonly oldestOffset: number;
  /** One more than the last durable offset. */
  readonly durableOffset: number;
  readonly segments: number;
  /** Waiting for the disk. */
  readonly pendingBytes: number;
  /** Of the file system; absent when it does not tell. */
  readonly availableBytes?: number;
  /** Readings and gaps that it holds, as far as offsets tell: some offsets hold neither. */
  readonly entries: number;
  /** Of its segments on disk; absent until they have been looked at. */
  readonly bytes?: number;
  /** When its oldest segment began; absent until it has been looked at, and when its header is destroyed. */
  readonly oldestAt?: number;
  /** Absent in the first minute, and where the kernel does not tell. */
  readonly writes?: WriteStatus;
}

/** What is written to the disk: flash wears by that. */
export interface WriteStatus {
  /** `device`: everything that is written to the disk that holds the journal; `process`: what this process writes. */
  readonly source: 'device' | 'process';
  /** Since the gateway began, and what that makes in a day. */
  readonly bytes: number;
  readonly bytesPerDay: number;
  /** Measured over so long. */
  readonly seconds: number;
  /** Until the disk has taken `journal.enduranceBytes` at this rate; absent when the configuration does not say. */
  readonly years?: number;
}

export interface UplinkStatus {
  readonly state: 'idle' | 'connecting' | 'online' | 'waiting' | 'closed';
  /** Without credentials. */
  readonly broker: string;
  readonly fault?: string;
  readonly cursor: number;
  readonly head: number;
  /** Readings and gaps that are still to be published, at most: some offsets hold neither. */
  readonly backlog: number;
  /** Everything that the journal holds has been acknowledged, also what the disk has yet to secure after a start. */
  readonly drained: boolean;
  /** By `sovereign pause`, until `resume` or the gateway's next start. */
  readonly paused: boolean;
  readonly inFlight: number;
  /** Messages in flight at most: the configured number, or what the broker allows. */
  readonly window: number;
  /** Since the gateway began. */
  readonly published: number;
  /** Readings acknowledged, over the last ten seconds. */
  readonly ratePerSecond: number;
  /** Until the backlog is gone if it goes on as in the last ten seconds; absent when it doesn't get shorter. */
  readonly drainedInSeconds?: number;
  /** When the first of the certificates ends that the present connection was made with; absent without TLS. */
  readonly certificateEndsAt?: number;
  /** What subscribers have asked for since the gateway began; absent when they can't. */
  readonly fetch?: FetchStatus;
}

/** Counted since the gateway began. */
export interface FetchStatus {
  readonly requests: number;
  /** Requests that were not taken, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly ranges: number;
  /** Ranges that wait. */
  readonly waiting: number;
  /** Readings sent and acknowledged. */
  readonly sent: number;
  /** Times that the disk refused. */
  readonly failed: number;
}

export interface QuarantineStatus {
  readonly bytes: number;
  readonly kept: number;
  /** Not kept, by what stood in the way. */
  readonly dropped: Readonly<Record<string, number>>;
  /** All that came, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Forks: pairs kept as evidence. */
  readonly evidence: number;
}
