/** What a running gateway says of itself, the same wherever it says it. Times are Unix ms. */
export interface NodeStatus {
  readonly version: string;
  /** What it runs on, with its version: `node v20.15.0`. */
  readonly runtime: string;
  readonly pid: number;
  readonly site: string;
  readonly gateway: string;
  readonly configFile: string;
  readonly dataDirectory: string;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly clock: ClockStatus;
  readonly keyring: KeyringStatus;
  /** What is open at the moment, at most `MAX_LINKS` of them. */
  readonly links: readonly LinkStatus[];
  /** How many are open. */
  readonly linkCount: number;
  /** At most `MAX_DEVICES`, those heard last first. */
  readonly devices: readonly DeviceStatus[];
  readonly journal: JournalStatus;
  /** Absent when the configuration has no uplink. */
  readonly uplink?: UplinkStatus;
  readonly quarantine: QuarantineStatus;
  /** Everything that is counted of the intake, by name. */
  readonly counters: Readonly<Record<string, number>>;
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
}

export interface DeviceStatus {
  /** 16 hex digits. */
  readonly id: string;
  /** Absent for a device that is in the journal but no longer in the keyring. */
  readonly name?: string;
  /** The last durable reading; absent when there is none. */
  readonly epoch?: number;
  readonly seq?: number;
  /** Readings and gaps journalled since the journal began. */
  readonly readings: number;
  readonly gaps: number;
  /** Absent while it has not been heard since the gateway began. */
  readonly heardAt?: number;
  /** Heard before, and not for longer than devices ever are. */
  readonly silent: boolean;
  /** Has a session. */
  readonly online: boolean;
  readonly link?: string;
  /** What its last hello said: readings held, readings lost, firmware and why it began. */
  readonly backlog?: number;
  readonly losses?: number;
  readonly firmware?: string;
  readonly restart?: string;
  /** Settings of its sources: the version meant for it, what it has taken, and why it refused. */
  readonly settings?: {
    readonly version: number;
    readonly acknowledged: number;
    readonly supported: boolean;
    readonly fault?: string;
  };
  /** Verdicts since the gateway began. */
  readonly counts: Readonly<Record<string, number>>;
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
}

export interface UplinkStatus {
  readonly state: 'idle' | 'connecting' | 'online' | 'waiting' | 'closed';
  /** Without credentials. */
  readonly broker: string;
  readonly fault?: string;
  readonly cursor: number;
  readonly head: number;
  readonly drained: boolean;
  readonly inFlight: number;
  /** Since the gateway began. */
  readonly published: number;
  /** What subscribers have asked for since the gateway began; absent when they can't. */
  readonly fetch?: FetchStatus;
}

export interface FetchStatus {
  readonly requests: number;
  /** Requests that were not taken, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly ranges: number;
  /** Ranges that wait. */
  readonly waiting: number;
  /** Readings. */
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
