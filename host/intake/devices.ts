/** What the intake knows of each device while it runs. One a device of the keyring or of the journal, no others. */
import { fromHex, type Holding } from '../../firmware/seal/index.js';
import type { ReadingEntry } from '../journal/entry.js';
import { Positions } from './positions.js';

/** What an authentic hello said. */
export interface HelloFacts extends Holding {
  readonly backlog: number;
  readonly losses: number;
  readonly firmware: string;
  readonly restart: string;
  /** The highest version of settings that it was sent since it started; -1: it takes none. */
  readonly configVersion: number;
  /** Unix ms. */
  readonly at: number;
}

/** What speaks for a device at the moment: a session of a link. */
export interface Speaker {
  readonly linkName: string;
  /** Tells the device how far the journal is durable. */
  sendReceipt(): void;
  /** The device has gone on to another link. */
  superseded(): void;
}

export type DeviceCount =
  | 'next'
  | 'gap'
  | 'early'
  | 'fork'
  | 'replay'
  | 'stale'
  | 'busy'
  | 'receipts'
  | 'sequence-reset';

export class Device {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly positions = new Positions();
  readonly counts: Partial<Record<DeviceCount, number>> = {};
  speaker: Speaker | undefined;
  hello: HelloFacts | undefined;
  /** Monotonic ms of the last thing authentically heard; -1: nothing since the gateway began. */
  seenMs = -1;
  /** The same as Unix ms. */
  seenAt = 0;
  silent = false;
  /** What it says of its settings; absent before its first session. `fault`: why it refused the last ones. */
  settings: { readonly supported: boolean; acknowledged: number; fault: string } | undefined;
  /** The link of the last reading. */
  link = '';
  /** Whether its own clock was set when it made its last reading; undefined: none has come since the gateway began. */
  clockSet: boolean | undefined;
  /** Readings that it holds and readings that it has lost: as its last hello or heartbeat said. */
  backlog: number | undefined;
  losses: number | undefined;
  /** dBm, as its last heartbeat said. */
  signal: number | undefined;
  /** The last durable reading since the gateway began. */
  last: ReadingEntry | undefined;

  constructor(id: string) {
    this.id = id;
    this.idBytes = fromHex(id)!;
  }

  /** The records of an authentic heartbeat, which may say anything. */
  told(records: readonly { readonly n: string; readonly u?: string; readonly v?: number }[]): void {
    for (const { n, u, v } of records) {
      if (v === undefined) continue;
      if (n === 'backlog' && isCount(v)) this.backlog = v;
      else if (n === 'losses' && isCount(v)) this.losses = v;
      else if (u === 'dBm') this.signal = v;
    }
  }

  count(what: DeviceCount): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;

export class Devices {
  readonly #devices = new Map<string, Device>();

  /** Only for ids that the keyring or the journal vouches for. */
  of(id: string): Device {
    let device = this.#devices.get(id);
    if (device === undefined) {
      device = new Device(id);
      this.#devices.set(id, device);
    }
    return device;
  }

  get(id: string): Device | undefined {
    return this.#devices.get(id);
  }

  all(): Iterable<Device> {
    return this.#devices.values();
  }
}
