/**
 * Every effect of the host comes in through these interfaces, so that the same code runs on a Pi
 * (`host/node/`) and in a simulation that owns time, disk, network and chance.
 */

/** Wall and monotonic time, in milliseconds. */
export interface Clock {
  /** Unix time in ms; may jump, run backwards, or be wrong until synchronised. */
  now(): number;
  /** Whether the system says that `now` is right; absent where nothing tells. */
  readonly synchronised?: boolean | undefined;
  /** Milliseconds since an arbitrary start; never runs backwards. */
  monotonic(): number;
  /** Calls `run` once, `ms` from now. */
  after(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Cryptographically secure bytes. */
export interface Random {
  fill(target: Uint8Array): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line of the log as an object. */
export interface LogLine {
  /** Unix ms. */
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
}

/** What people may do with the log of a running process. */
export interface LogControl {
  /** The least that is logged. */
  level: LogLine['level'];
  /** The last lines, oldest first, at most so many. */
  recent(count: number): readonly LogLine[];
  /** Every line from now on, until the function that is returned is called. */
  follow(listener: (line: LogLine) => void): () => void;
}

/** Structured log: `event` is a stable short name, everything variable stands in `fields`. No secrets. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/**
 * A file system, with durability said out loud. Paths are absolute. Errors carry the system's `code`
 * (`ENOSPC`, `EIO`, `EEXIST`, `ENOENT`, …).
 */
export interface Storage {
  /** The names in a directory, sorted; empty when it does not exist. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory (0700) with its parents, and syncs the parents, also of one that is there already. */
  ensureDirectory(directory: string): Promise<void>;
  /** Makes entries created, renamed or removed in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /** `read`: existing, read only; `update`: existing, read and write; `create`: must not exist (O_EXCL), read and write, 0600. */
  open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Bytes of the file system that holds `path`. */
  space(path: string): Promise<{ availableBytes: number; totalBytes: number }>;
}

/** A storage whose files can have two names. */
export interface LinkingStorage extends Storage {
  /** Gives a file a second name, which must be free; `EPERM` or `ENOTSUP` where the file system can't. */
  link(from: string, to: string): Promise<void>;
}

export interface StorageFile {
  /** Reads at `position` into the whole of `target`; returns the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes at `position`; returns the bytes written, which may be fewer than given. */
  write(source: Uint8Array, position: number): Promise<number>;
  /** Makes what was written durable (`fdatasync`). After a failure, nothing may be assumed of unsynced bytes. */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** One bidirectional byte stream to a device: a serial port, or one TCP connection. */
export interface Link {
  /** Stable within the configuration, for records and logs: `serial:/dev/ttyACM0`, `tcp:192.0.2.7`. */
  readonly name: string;
  /** Unsent bytes that the peer has not taken yet. */
  readonly pendingBytes: number;
  /** Queues bytes for the peer; the array may be reused by the caller after the call returns. */
  send(bytes: Uint8Array): void;
  /** Stop and go on reading, for back-pressure. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Where the bytes and the end of a link go. `data` may be reused by the source after the call returns. */
export interface LinkHandler {
  data(bytes: Uint8Array): void;
  closed(reason: string): void;
}

/** Something that yields links: a TCP listener, or a serial port that comes and goes. */
export interface LinkSource {
  /** Begins; `accept` is called for each new link and returns its handler. Rejects with a Fault when it can't begin. */
  start(accept: (link: Link) => LinkHandler): Promise<void>;
  stop(): Promise<void>;
}

/** One message of MQTT. */
export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
  /** MQTT 5 only; ignored on 3.1.1. */
  readonly contentType?: string;
  readonly userProperties?: Readonly<Record<string, string>>;
}

/** How to connect, as the configuration gives it. */
export interface BrokerOptions {
  /** mqtt://, mqtts://, ws:// or wss:// */
  readonly url: string;
  readonly clientId: string;
  readonly protocol: '3.1.1' | '5';
  readonly username?: string;
  readonly password?: string;
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly keepAliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly will?: BrokerMessage;
  /** false: the broker keeps the session (subscriptions, queued messages) while we are away. */
  readonly cleanStart: boolean;
}

/** An MQTT client library, one connection at a time; never reconnects or stores by itself. */
export interface Broker {
  /** Resolves when CONNACK says yes; rejects with a Fault that names what the broker or the network said. */
  connect(options: BrokerOptions, handler: BrokerHandler): Promise<BrokerSession>;
}

export interface BrokerHandler {
  /** A message came; PUBACK is sent when the promise resolves, never when it rejects. Messages come one after another or
   * overlapping; acknowledgements go out in the order of arrival. */
  message(topic: string, payload: Uint8Array): Promise<void>;
  /** The connection is gone; what was not acknowledged has no further call. */
  closed(reason: string): void;
}

export interface BrokerSession {
  /** How many QoS 1 publishes the broker takes unacknowledged (Receive Maximum; 65,535 on 3.1.1). */
  readonly receiveMaximum: number;
  /** The longest packet that the broker takes (Maximum Packet Size); absent: it names no limit. */
  readonly maxPacketBytes?: number | undefined;
  /** Unix ms: when the first of the certificates ends that this connection was made with; absent without TLS. */
  readonly certificateEndsAt?: number | undefined;
  /** QoS 1; `acknowledged` is called at PUBACK, with an error when the broker refused the message. */
  publish(message: BrokerMessage, acknowledged: (error?: Error) => void): void;
  subscribe(topics: readonly string[]): Promise<void>;
  /** Sends DISCONNECT (the will is not published) and closes. */
  end(): Promise<void>;
}
