/** A gateway for the page to look at, without a gateway: a fleet that is made up, and what happens to it as a test wants. */
import type {
  ControlHandlers,
  DecodedReading,
  DeviceDetail,
  QuarantineItem,
  StreamSink,
} from '../../../host/control/calls.js';
import type { NodeStatus } from '../../../host/control/status.js';
import { Fault } from '../../../host/fault.js';
import { systemClock } from '../../../host/node/clock.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { HttpListener } from '../../../host/node/http.js';
import { silentLog } from '../../../host/node/log.js';
import { assetFiles } from '../../../host/node/page.js';
import type { LogLine } from '../../../host/ports.js';
import { type WebOptions, WebServer } from '../../../host/web/server.js';
import { handlersWith } from '../control/handlers.js';
import { emptyStatus } from '../control/status.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const TOKEN = 'correct-horse-battery';

export class StandIn {
  devices: Mutable<DeviceDetail>[] = [];
  /** Further devices, which are not listed. */
  unlisted = 0;
  status: Mutable<NodeStatus> = {
    ...emptyStatus,
    uplink: {
      state: 'online',
      broker: 'mqtt://127.0.0.1:1883',
      cursor: 1,
      head: 1,
      drained: true,
      paused: false,
      backlog: 0,
      inFlight: 0,
      window: 1000,
      published: 0,
      ratePerSecond: 0,
    },
    log: { level: 'info' },
  };
  items: QuarantineItem[] = [];
  /** Calls that were made to change something. */
  readonly changes: string[] = [];
  readonly #tails = new Set<{
    readonly device: string | undefined;
    readonly sink: StreamSink<DecodedReading>;
  }>();
  readonly #logs = new Set<StreamSink<LogLine>>();
  readonly #readings = new Map<string, DecodedReading[]>();
  readonly #lines: LogLine[] = [];
  #offset = 1;

  addDevice(device: Partial<DeviceDetail> & { readonly id: string }): Mutable<DeviceDetail> {
    const added = {
      readings: 0,
      gaps: 0,
      silent: false,
      online: true,
      heardAt: Date.now(),
      counts: {},
      ...device,
    };
    this.devices.push(added);
    return added;
  }

  /** @param count devices `probe-0001` … */
  addDevices(count: number): void {
    for (let i = 1; i <= count; i++) {
      const number = String(i).padStart(4, '0');
      const device = this.addDevice({ id: number.padStart(16, 'a'), name: `probe-${number}` });
      this.measure(device, [{ n: 'temperature', u: 'Cel', v: 20 + (i % 50) / 10 }]);
    }
  }

  /** One more reading of a device, which everybody who watches hears of. */
  measure(
    device: Mutable<DeviceDetail>,
    records: DecodedReading['records'],
    more: Partial<DecodedReading> = {},
  ): DecodedReading {
    const at = more.at ?? Date.now();
    const seq = more.seq ?? (device.seq ?? -1) + 1;
    const reading: DecodedReading = {
      offset: this.#offset++,
      at,
      device: device.id,
      ...(device.name !== undefined && { name: device.name }),
      epoch: device.epoch ?? 1,
      link: 'tcp:192.0.2.7',
      time: at,
      records,
      ...more,
      seq,
    };
    const held = this.#readings.get(device.id) ?? [];
    held.push(reading);
    this.#readings.set(device.id, held);
    Object.assign(device, {
      epoch: reading.epoch,
      seq,
      heardAt: at,
      readings: device.readings + 1,
      last: reading,
    });
    for (const { device: wanted, sink } of this.#tails)
      if (wanted === undefined || wanted === device.id || wanted === device.name) sink.offer(() => reading);
    return reading;
  }

  log(level: LogLine['level'], event: string, fields: LogLine['fields'] = {}): void {
    const line = { at: Date.now(), level, event, fields };
    this.#lines.push(line);
    for (const sink of this.#logs) sink.offer(() => line);
  }

  /** Streams that are open. */
  get watchers(): number {
    return this.#tails.size + this.#logs.size;
  }

  get handlers(): ControlHandlers {
    const { uplink } = this.status;
    const pause = (paused: boolean) => {
      this.changes.push(paused ? 'pause' : 'resume');
      this.status.uplink = { ...uplink!, paused };
      return { state: 'online', paused, drained: true, backlog: 0 };
    };
    const kept = (id: string) => {
      const item = this.items.find(known => known.id === id);
      if (item === undefined) throw new Fault('quarantine-unknown', `nothing with the id ${id} is kept`);
      return item;
    };
    return handlersWith({
      status: () => ({
        ...this.status,
        clock: { at: Date.now(), synchronised: true },
        deviceCount: this.devices.length + this.unlisted,
      }),
      devices: () => ({ devices: this.devices, deviceCount: this.devices.length + this.unlisted }),
      pause: () => pause(true),
      resume: () => pause(false),
      backlog: () => this.backlog,
      readings: ({ device, before = Number.POSITIVE_INFINITY, since = 0, limit = 500 }) => {
        const found = (this.#readings.get(device) ?? []).filter(
          ({ offset, at }) => offset < before && at >= since,
        );
        const readings = found.slice(-limit);
        return { readings, ...(found.length > limit && { before: readings[0]!.offset }) };
      },
      'quarantine-list': ({ limit = 50, after }) => {
        const from = after === undefined ? 0 : this.items.findIndex(({ id }) => id === after) + 1;
        return { items: this.items.slice(from, from + limit), more: this.items.length > from + limit };
      },
      'quarantine-show': ({ id }) => ({ ...kept(id), hex: '8443a10105a0'.repeat(8), now: kept(id).reason }),
      'quarantine-release': ({ id }) => {
        this.changes.push(`release ${kept(id).id}`);
        return { id, outcome: 'refused', reason: kept(id).reason };
      },
      tail:
        ({ device }) =>
        sink => {
          const watcher = { device, sink };
          this.#tails.add(watcher);
          return () => this.#tails.delete(watcher);
        },
      log:
        ({ recent = 0 }) =>
        sink => {
          for (const line of recent > 0 ? this.#lines.slice(-recent) : []) sink.offer(() => line);
          this.#logs.add(sink);
          return () => this.#logs.delete(sink);
        },
    });
  }

  backlog = { everySeconds: 60, points: [] as [number, number][] };
}

/** Serves the page of a stand-in on a port of the loopback. */
export async function serve(
  standIn: StandIn,
  options: Partial<WebOptions> & { readonly port?: number } = {},
): Promise<{ readonly url: string; readonly port: number; stop(): Promise<void> }> {
  const source = new HttpListener(
    { host: '127.0.0.1', port: options.port ?? 0, setting: 'web.listen' },
    silentLog,
  );
  const server = new WebServer(
    { clock: systemClock, log: silentLog, digest: nodeDigest, source, files: await assetFiles() },
    { guarded: false, names: [], ...options },
    { version: '0.1.0', site: 'cellar', gateway: 'gw-1' },
    standIn.handlers,
  );
  await server.start();
  return { url: `http://127.0.0.1:${source.port}/`, port: source.port, stop: () => server.stop() };
}
