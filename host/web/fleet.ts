/**
 * The fleet as the page shows it, told by changes: a thousand devices are half a megabyte, and most of that stays as it is
 * from one second to the next. Asked for once for all who look, and by nobody while nobody looks.
 */
import type { ControlHandlers, DeviceDetail } from '../control/calls.js';
import type { Clock, Log, Timer } from '../ports.js';
import { LastValues } from './last-values.js';
import type { FleetChange, FleetDevice, FleetItem, FleetStatus } from './messages.js';

/** One who looks. */
export interface FleetViewer {
  readonly pendingBytes: number;
  /** @param json a `FleetItem` */
  tell(json: string): void;
}

const MIN_PERIOD_MS = 1000;
const MAX_PERIOD_MS = 15_000;
/** So many times as long as the telling took nothing is told, so that it costs the gateway a small share of its time. */
const REST = 30;
/** A viewer with more than this unread is left out, and told everything once he has read it. */
const MAX_PENDING_BYTES = 128 * 1024;

type FleetHandlers = Pick<ControlHandlers, 'status' | 'devices' | 'tail'>;

export class FleetFeed {
  readonly #ports: { readonly clock: Clock; readonly log: Log };
  readonly #handlers: FleetHandlers;
  /** Each with whether he knows the state as it was told last. */
  readonly #viewers = new Map<FleetViewer, { current: boolean }>();
  #status: FleetStatus | undefined;
  #devices: ReadonlyMap<string, FleetDevice> = new Map();
  readonly #values: LastValues;
  #timer: Timer | undefined;
  #asking = false;

  constructor(ports: { readonly clock: Clock; readonly log: Log }, handlers: FleetHandlers) {
    this.#ports = ports;
    this.#handlers = handlers;
    this.#values = new LastValues(ports.clock, handlers.tail);
  }

  /** Tells him everything at once, and then what changes, until the function that it returns is called. */
  join(viewer: FleetViewer): () => void {
    const first = this.#viewers.size === 0;
    this.#viewers.set(viewer, { current: false });
    if (first) this.#values.begin();
    if (first && !this.#asking) void this.#ask();
    else if (!first) this.#tell([], []);
    return () => {
      this.#viewers.delete(viewer);
      if (this.#viewers.size > 0) return;
      this.#values.end();
      this.#timer?.cancel();
      this.#status = undefined;
      this.#devices = new Map();
    };
  }

  async #ask(): Promise<void> {
    const { clock, log } = this.#ports;
    const begunMs = clock.monotonic();
    this.#asking = true;
    try {
      const { devices: told, links: _, ...status } = await this.#handlers.status({});
      const { devices } = await this.#handlers.devices({});
      if (this.#viewers.size > 0) this.#update(status, devices);
    } catch (error) {
      log.error('web-fleet-failed', { error: String(error) });
    }
    this.#asking = false;
    if (this.#viewers.size === 0) return;
    const rest = REST * (clock.monotonic() - begunMs);
    this.#timer = clock.after(Math.min(Math.max(rest, MIN_PERIOD_MS), MAX_PERIOD_MS), () => void this.#ask());
  }

  #update(status: FleetStatus, details: readonly DeviceDetail[]): void {
    const before = this.#devices;
    const devices = new Map<string, FleetDevice>();
    const changes: FleetChange[] = [];
    for (const { last, ...status } of details) {
      if (last !== undefined && !before.has(last.device)) this.#values.take(last);
      const values = this.#values.of(status.id);
      const was = before.get(status.id);
      const device: FleetDevice = values.length === 0 ? status : { ...status, values };
      devices.set(device.id, device);
      const change = difference(was, device);
      if (change !== undefined) changes.push(change);
    }
    const gone = [...before.keys()].filter(id => !devices.has(id));
    this.#status = status;
    this.#devices = devices;
    this.#tell(changes, gone);
  }

  #tell(devices: readonly FleetChange[], gone: readonly string[]): void {
    const status = this.#status;
    if (status === undefined) return;
    let changes: string | undefined;
    let whole: string | undefined;
    for (const [viewer, state] of this.#viewers) {
      if (viewer.pendingBytes > MAX_PENDING_BYTES) {
        state.current = false;
      } else if (state.current) {
        changes ??= encode({ status, whole: false, devices, gone });
        viewer.tell(changes);
      } else {
        whole ??= encode({ status, whole: true, devices: [...this.#devices.values()], gone: [] });
        viewer.tell(whole);
        state.current = true;
      }
    }
  }
}

const encode = (item: FleetItem) => JSON.stringify(item);

/** Of two states of one device; undefined when they are the same. */
export function difference(was: FleetDevice | undefined, now: FleetDevice): FleetChange | undefined {
  if (was === undefined) return now;
  const change: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(now))
    if (!same(was[key as keyof FleetDevice], value)) change[key] = value;
  for (const key of Object.keys(was)) if (!(key in now)) change[key] = null;
  return Object.keys(change).length === 0 ? undefined : { id: now.id, ...change };
}

/** Of plain values, as JSON has them. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(key => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
