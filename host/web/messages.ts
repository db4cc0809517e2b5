/**
 * What goes over the page's WebSocket: texts, each one JSON object.
 *
 *   page → gateway   {"ask":7,"call":"device","device":"cellar"}      a call or a stream of `host/control/calls.ts`
 *                    {"ask":8,"call":"fleet"}                         a stream of the page alone: see `FleetItem`
 *                    {"ask":9,"call":"unlock","token":"…"}            from here on, calls that change something are allowed
 *                    {"stop":8}                                      ends a stream
 *   gateway → page   {"hello":{…}}                                   first of all
 *                    {"ask":7,"ok":true,"value":…}                    the answer to a call, or to the request for a stream
 *                    {"ask":7,"ok":false,"code":"…","message":"…"}
 *                    {"ask":8,"item":…}  {"ask":8,"lost":3}            what a stream tells, and how much it left out
 *
 * The number is the page's own, so that it can tell answers apart; calls are answered in their order.
 */
import {
  type BadRequest,
  type ControlCall,
  type ControlRequest,
  type ControlStream,
  type DeviceDetail,
  readCall,
} from '../control/calls.js';
import type { DeviceStatus, NodeStatus } from '../control/status.js';

export interface Hello {
  readonly version: string;
  readonly site: string;
  readonly gateway: string;
  /** What may be asked without a token. */
  readonly open: 'read' | 'nothing';
  /** Whether there is a token at all: without one, nothing can be changed from the page. */
  readonly token: boolean;
}

/** What the fleet view shows of a device. */
export interface FleetDevice extends DeviceStatus {
  /** Of its last measurement: the first few records that people can read. */
  readonly values?: readonly FleetValue[];
}

export type FleetValue = Omit<NonNullable<DeviceDetail['last']>['records'][number], 'vd'>;

/** Fields that have changed; `null`: it is no longer there. */
export type FleetChange = { readonly id: string } & {
  readonly [K in Exclude<keyof FleetDevice, 'id'>]?: FleetDevice[K] | null;
};

export interface FleetItem {
  readonly status: FleetStatus;
  /** Everything is told anew, rather than what has changed. */
  readonly whole: boolean;
  readonly devices: readonly FleetChange[];
  /** Ids that are no longer there. */
  readonly gone: readonly string[];
}

export type FleetStatus = Omit<NodeStatus, 'devices' | 'links'>;

/** What a page may ask of the gateway. Whatever else the control socket answers is for the commands of this machine. */
const PAGE_CALLS: ReadonlySet<ControlCall | ControlStream> = new Set([
  'status',
  'devices',
  'device',
  'drain',
  'pause',
  'resume',
  'quarantine-list',
  'quarantine-show',
  'quarantine-release',
  'log-level',
  'readings',
  'backlog',
  'tail',
  'log',
] as const);

export const MAX_TOKEN_CHARS = 256;
const MAX_NUMBER = 2 ** 31;

export type PageMessage =
  | { readonly ask: number; readonly call: 'unlock'; readonly token: string }
  | { readonly ask: number; readonly call: 'fleet' }
  | { readonly ask: number; readonly call: 'control'; readonly request: ControlRequest | BadRequest }
  | { readonly call: 'stop'; readonly stop: number };

/** What the page wants, or undefined for what no page of this version says. */
export function readMessage(text: string): PageMessage | undefined {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (isNumber(value.stop)) return { call: 'stop', stop: value.stop };
  const { ask, ...request } = value;
  if (!isNumber(ask)) return undefined;
  if (request.call === 'fleet') return { ask, call: 'fleet' };
  if (request.call !== 'unlock') return { ask, call: 'control', request: pageCall(request) };
  const { token } = request;
  if (typeof token !== 'string' || token.length > MAX_TOKEN_CHARS) return undefined;
  return { ask, call: 'unlock', token };
}

function pageCall(request: Record<string, unknown>): ControlRequest | BadRequest {
  const read = readCall(request);
  if ('fault' in read || PAGE_CALLS.has(read.call)) return read;
  return { fault: 'unknown-call', message: `${read.call} is not for pages: ask over the control socket` };
}

const isNumber = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_NUMBER;
