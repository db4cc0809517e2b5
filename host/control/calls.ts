/**
 * What a running gateway can be asked, typed once for everybody who asks or answers: the control socket, the commands,
 * and the page's WebSocket. A request is one flat JSON object, `{"call":"device","device":"cellar"}`; what it may hold
 * beside `call` stands in `ARGUMENTS`, and `readCall` refuses everything else.
 *
 * A call has one answer. A stream has an answer that says that it has begun, and then messages of its own: see `StreamMessage`.
 */
import type { PlaceObject } from '../backup/contents.js';
import type { LogLine } from '../ports.js';
import type { JsonRecord } from '../subscriber/json-record.js';
import type { DeviceStatus, NodeStatus } from './status.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Nothing = Readonly<Record<never, never>>;

/** Every call with what it takes and what it returns. */
export interface ControlCalls {
  status: { args: Nothing; value: NodeStatus };
  devices: {
    args: Nothing;
    /** At most `MAX_DEVICES` of `deviceCount`, as in the status. */
    value: { readonly devices: readonly DeviceDetail[]; readonly deviceCount: number };
  };
  /** `device`: its id or its name. */
  device: { args: { readonly device: string }; value: DeviceDetail };
  /** Publishes the backlog now: no waiting for the next attempt to connect, no `replayPerSecond` until it is drained. */
  drain: { args: Nothing; value: UplinkAnswer };
  /** Nothing is published until `resume` or the gateway's next start; readings are taken in and kept meanwhile. */
  pause: { args: Nothing; value: UplinkAnswer };
  resume: { args: Nothing; value: UplinkAnswer };
  /** Newest first. `after`: the id of the last one that is known already. */
  'quarantine-list': {
    args: { readonly limit?: number; readonly after?: string; readonly reason?: string };
    value: {
      readonly items: readonly QuarantineItem[];
      /** There are more after the last one. */
      readonly more: boolean;
    };
  };
  'quarantine-show': { args: { readonly id: string }; value: QuarantineDetail };
  /** Puts the bytes through the gates again, as if they came in now. */
  'quarantine-release': { args: { readonly id: string }; value: QuarantineRelease };
  'log-level': {
    args: { readonly level: LogLevel };
    value: { readonly level: LogLevel; readonly before: LogLevel };
  };
  /** Of one device, from the journal, the newest that are asked for. */
  readings: {
    args: {
      readonly device: string;
      /** Offset: only what lies before it. Absent: from the end. */
      readonly before?: number;
      /** Unix ms: nothing that came in earlier. */
      readonly since?: number;
      readonly limit?: number;
    };
    value: ReadingsPage;
  };
  /** Where it stands at one instant, by what is durable: what `sovereign backup` asks for. */
  checkpoint: { args: Nothing; value: PlaceObject };
  /** The uplink's backlog over the last day at most. */
  backlog: { args: Nothing; value: BacklogHistory };
}

/** Every stream with what it takes and what comes. */
export interface ControlStreams {
  /** Readings as they become durable; `device` is an id or a name, absent: all. */
  tail: { args: { readonly device?: string }; item: DecodedReading };
  /** Lines of the log, after the last `recent` ones that have been. */
  log: { args: { readonly recent?: number }; item: LogLine };
}

export type ControlCall = keyof ControlCalls;
export type ControlStream = keyof ControlStreams;

/** A journalled reading. */
export interface DecodedReading {
  /** In the gateway's journal. */
  readonly offset: number;
  /** When the gateway received it, Unix ms. */
  readonly at: number;
  /** 16 hex digits. */
  readonly device: string;
  /** Its name in the keyring; absent when it is no longer there. */
  readonly name?: string;
  readonly epoch: number;
  readonly seq: number;
  readonly link: string;
  /** Unix ms by the device's own clock; absent while that was not set. */
  readonly time?: number;
  /** Absent for a plain measurement. */
  readonly kind?: 'start' | 'heartbeat' | 'final' | 'fault' | 'loss';
  readonly records: readonly JsonRecord[];
}

/** What makes a device's status whole: too long to stand in every status. */
export interface DeviceDetail extends DeviceStatus {
  /** The last durable reading; absent when none has come since the gateway began. */
  readonly last?: DecodedReading;
}

/** How the uplink stands right after the call. */
export interface UplinkAnswer {
  readonly state: string;
  readonly paused: boolean;
  readonly drained: boolean;
  /** As in `UplinkStatus`. */
  readonly backlog: number;
}

export interface QuarantineItem {
  /** Good while the file that holds it is kept. */
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
  readonly reason: string;
  /** What exactly was malformed. */
  readonly detail?: string;
  readonly link: string;
  /** A known device's id, and its name in the keyring. */
  readonly device?: string;
  readonly name?: string;
  /** Whether its MAC was right and the refusal had another reason. */
  readonly authentic: boolean;
  /** How many. */
  readonly bytes: number;
}

export interface QuarantineDetail extends QuarantineItem {
  readonly hex: string;
  /** What the bytes say of themselves when they have the form of a reading; not verified. */
  readonly claims?: { readonly device: string; readonly epoch: number; readonly seq: number };
  /** What the gates would say now: '' when they would take it. */
  readonly now: string;
}

export interface QuarantineRelease {
  readonly id: string;
  /**
   * `journalled`: it has been taken and is durable. `waiting`: the journal has taken it, and the disk takes its time.
   * `known`: it had been taken before. `early`: readings before it are missing, and may still come from the device.
   * `evidence`: it contradicts what the journal holds, and is kept as evidence. `refused`: a gate still refuses it, for
   * `reason`. `busy`: the disk takes nothing at the moment; try again.
   */
  readonly outcome: 'journalled' | 'waiting' | 'known' | 'early' | 'evidence' | 'refused' | 'busy';
  readonly reason?: string;
  readonly device?: string;
  readonly epoch?: number;
  readonly seq?: number;
}

export interface ReadingsPage {
  /** In the order of the journal. */
  readonly readings: readonly DecodedReading[];
  /** There may be older ones: ask again with this as `before`. */
  readonly before?: number;
}

export interface BacklogHistory {
  readonly everySeconds: number;
  /** Unix ms, and the uplink's backlog. */
  readonly points: readonly (readonly [at: number, backlog: number])[];
}

/** Who may call: the page asks for a token before a `write`; on the socket, file permission decides about both. */
export type Access = 'read' | 'write';

export const ACCESS: Readonly<Record<ControlCall | ControlStream, Access>> = {
  status: 'read',
  devices: 'read',
  device: 'read',
  drain: 'write',
  pause: 'write',
  resume: 'write',
  'quarantine-list': 'read',
  'quarantine-show': 'read',
  'quarantine-release': 'write',
  'log-level': 'write',
  readings: 'read',
  backlog: 'read',
  // It is long, and nothing that a page needs.
  checkpoint: 'write',
  tail: 'read',
  log: 'read',
};

const STREAMS: Readonly<Record<ControlStream, true>> = { tail: true, log: true };

export const isStream = (name: ControlCall | ControlStream): name is ControlStream =>
  Object.hasOwn(STREAMS, name);

export type ControlRequest = CallRequest | StreamRequest;
export type CallRequest = {
  [C in ControlCall]: { readonly call: C; readonly args: ControlCalls[C]['args'] };
}[ControlCall];
export type StreamRequest = {
  [S in ControlStream]: { readonly call: S; readonly args: ControlStreams[S]['args'] };
}[ControlStream];

/** What each call does. Throws a Fault for what the asker can mend; anything else is reported as `failed`. */
export type CallHandlers = {
  readonly [C in ControlCall]: (
    args: ControlCalls[C]['args'],
  ) => ControlCalls[C]['value'] | Promise<ControlCalls[C]['value']>;
};

/** What each stream does: throws a Fault for what the asker can mend, or gives what begins it. */
export type StreamHandlers = {
  readonly [S in ControlStream]: (args: ControlStreams[S]['args']) => BeginStream<ControlStreams[S]['item']>;
};

/** Tells `sink` from now on, until the function that it returns is called. */
export type BeginStream<T> = (sink: StreamSink<T>) => () => void;

export type ControlHandlers = CallHandlers & StreamHandlers;

/** Takes the items of a stream and never makes anybody wait. */
export interface StreamSink<T> {
  /** `make` is called only if the reader can take one more; otherwise the item is counted as lost. Undefined: there is none. */
  offer(make: () => T | undefined): void;
}

export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly remedy?: string };

/** What follows the answer to a stream's request. `lost`: so many items were left out here, for a reader that is too slow. */
export type StreamMessage = { readonly item: unknown } | { readonly lost: number };

export const MAX_LIST = 100;
export const MAX_READINGS = 5000;
export const MAX_RECENT_LINES = 500;

interface Rule {
  readonly expected: string;
  readonly optional?: true;
  is(value: unknown): boolean;
}

const whole = (min: number, max: number): Rule => ({
  expected: `a whole number from ${min} to ${max}`,
  is: value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
});
const text = (expected: string, pattern: RegExp): Rule => ({
  expected,
  is: value => typeof value === 'string' && pattern.test(value),
});
const optional = (rule: Rule): Rule => ({ ...rule, optional: true });

const device = text('the id or the name of a device', /^[^\0]{1,64}$/u);
const quarantineId = text('an id of quarantine list, such as 3-1024', /^\d{1,10}-\d{1,12}$/);

const ARGUMENTS: Readonly<Record<ControlCall | ControlStream, Readonly<Record<string, Rule>>>> = {
  status: {},
  devices: {},
  device: { device },
  drain: {},
  pause: {},
  resume: {},
  'quarantine-list': {
    limit: optional(whole(1, MAX_LIST)),
    after: optional(quarantineId),
    reason: optional(text('a reason, such as mac', /^[a-z-]{1,64}$/)),
  },
  'quarantine-show': { id: quarantineId },
  'quarantine-release': { id: quarantineId },
  'log-level': {
    level: {
      expected: `one of ${LOG_LEVELS.join(', ')}`,
      is: value => LOG_LEVELS.some(level => level === value),
    },
  },
  readings: {
    device,
    before: optional(whole(0, Number.MAX_SAFE_INTEGER)),
    since: optional(whole(0, Number.MAX_SAFE_INTEGER)),
    limit: optional(whole(1, MAX_READINGS)),
  },
  backlog: {},
  checkpoint: {},
  tail: { device: optional(device) },
  log: { recent: optional(whole(0, MAX_RECENT_LINES)) },
};

export const CALLS = Object.keys(ARGUMENTS) as readonly (ControlCall | ControlStream)[];

export interface BadRequest {
  readonly fault: 'bad-request' | 'unknown-call';
  readonly message: string;
}

/** What somebody asks for, or what is wrong with it; `value` is whatever JSON has given. */
export function readCall(value: unknown): ControlRequest | BadRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: 'bad-request', message: 'expected one JSON object' };
  const { call: name, ...args } = value as Record<string, unknown>;
  const call = CALLS.find(known => known === name);
  if (call === undefined)
    return { fault: 'unknown-call', message: `call: expected one of ${CALLS.join(', ')}` };
  const rules = ARGUMENTS[call];
  for (const key of Object.keys(args))
    if (!Object.hasOwn(rules, key))
      return { fault: 'bad-request', message: `unknown key ${JSON.stringify(key.slice(0, 64))} for ${call}` };
  for (const [key, rule] of Object.entries(rules)) {
    if (args[key] === undefined && rule.optional) continue;
    if (!rule.is(args[key])) return { fault: 'bad-request', message: `${key}: expected ${rule.expected}` };
  }
  return { call, args } as ControlRequest;
}
