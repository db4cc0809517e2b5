import { VirtualFlash } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { virtualSources } from '../../boards/virtual/sources.js';
import { Device } from '../../firmware/device.js';
import type { DeviceLimits } from '../../firmware/limits.js';
import type { DeviceLink, LinkEvents } from '../../firmware/links/link.js';
import { fromHex, toHex } from '../../firmware/seal/index.js';
import { KeyStore } from '../../firmware/store/key-store.js';
import { RamBacklog } from '../../firmware/store/ram-backlog.js';
import type { KeyringEntry } from '../../host/keyring/entry.js';
import { entryFor, newDeviceKeys } from '../../host/keyring/provision.js';
import { nodeDigest } from '../../host/node/digest.js';
import { systemRandom } from '../../host/node/random.js';

/** A device with one of the firmware's links, polled by real time. */
export class LinkedDevice {
  readonly device: Device;
  readonly entry: KeyringEntry;
  readonly id: string;
  readonly story: string[] = [];
  readonly receipted: string[] = [];
  readonly uptime = { nowMs: () => Math.floor(performance.now()) };
  link!: DeviceLink;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(readings: number, ratePerSecond = 200, limits: Partial<DeviceLimits> = {}) {
    const keys = newDeviceKeys(systemRandom, nodeDigest, () => false);
    this.entry = entryFor(keys, 'linked');
    this.id = keys.id;
    const store = new KeyStore(new VirtualFlash({ sectors: 3 }));
    if (store.provision(fromHex(keys.id)!, keys.down, 0, keys.chain) !== '')
      throw new Error('not provisioned');
    store.load();
    let left = readings;
    this.device = new Device(
      {
        digest: nodeDigest,
        uptime: this.uptime,
        random: systemRandom,
        wire: { send: (buffer, from, to) => this.link.send(buffer, from, to) },
        board: { freeMemoryBytes: () => -1 },
        keys: store,
        backlog: new RamBacklog(65_536),
        sources: virtualSources(new SeededRandom(1), ratePerSecond),
        observer: {
          sealed: () => {
            left--;
            if (left <= 0) this.device.quiet = true;
          },
          receipted: (epoch, seq, buffer, from, to) => {
            const sum = new Uint8Array(32);
            nodeDigest.sha256(buffer, from, to, sum, 0);
            this.receipted.push(`${epoch}/${seq} ${toHex(sum)}`);
          },
          lost: () => this.story.push('lost'),
        },
      },
      { firmware: 'test', restart: 'power-on', limits },
    );
  }

  readonly events: LinkEvents = {
    up: () => {
      this.story.push('up');
      this.device.linkUp();
    },
    down: () => {
      this.story.push('down');
      this.device.linkDown();
    },
    received: (bytes, from, to) => {
      this.device.receive(bytes, from, to);
      this.#soon(0);
    },
    wake: () => this.#soon(0),
  };

  start(link: DeviceLink): void {
    this.link = link;
    if (this.device.start() !== '') throw new Error('not started');
    this.#poll();
  }

  get done(): boolean {
    return this.device.quiet && this.device.retained.count === 0;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.link.close();
  }

  #poll(): void {
    if (this.#stopped) return;
    const waitMs = Math.min(this.link.poll(), this.device.poll());
    this.link.poll();
    this.#soon(waitMs);
  }

  #soon(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), Math.max(1, Math.min(ms, 50)));
  }
}
