/** What is on the case of the gateway: a status LED, and a switch that tells whether it is open. Neither has to be there. */

import { type Digest, Kind } from '../../firmware/seal/index.js';
import type { PanelConfig } from '../config/panel.js';
import { Fault } from '../fault.js';
import type { KeyringEntry, KeyringView } from '../keyring/entry.js';
import type { Clock, LinkSource, Log, Random, Storage, Timer } from '../ports.js';
import { Contact } from './contact.js';
import { type Conditions, StatusLed } from './led.js';
import { OwnDevice, type Said } from './own-device.js';
import { OwnKeys } from './own-keys.js';
import { OwnLink } from './own-link.js';
import type { Lines } from './ports.js';

export interface PanelPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: Storage;
  readonly log: Log;
  readonly digest: Digest;
  readonly lines: Lines;
  readonly keyring: KeyringView;
  /** Puts the gateway's own entry into the keyring. @throws Fault when it can't */
  readonly enrol: (entry: Omit<KeyringEntry, 'name'>) => Promise<void>;
  /** Lets the gateway's own device in. */
  readonly listen: (source: LinkSource) => Promise<void>;
  readonly conditions: () => Conditions;
}

export interface PanelOptions {
  readonly config: PanelConfig;
  /** Of the gateway's own keys. */
  readonly directory: string;
  /** Of this program. */
  readonly version: string;
}

/** As boards have it; the state of the switch is said with each. */
const HEARTBEAT_MS = 60_000;
const ENROL_MS = 5000;
/** How long the last reading may take to be durable when the gateway ends. */
const FAREWELL_MS = 1000;
const LOOK_MS = 20;

export class Panel {
  readonly #ports: PanelPorts;
  readonly #options: PanelOptions;
  readonly #beganMs: number;
  #led: StatusLed | undefined;
  #contact: Contact | undefined;
  #device: OwnDevice | undefined;
  #link: OwnLink | undefined;
  /** What the switch says; a fault when it says nothing. */
  #state: Said = {};
  #heartbeat: Timer | undefined;
  #waiting: Timer | undefined;
  #closed = false;

  private constructor(ports: PanelPorts, options: PanelOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#beganMs = ports.clock.monotonic();
  }

  /** Begins with what there is. What there is not is a line in the log. */
  static async start(ports: PanelPorts, options: PanelOptions): Promise<Panel> {
    const panel = new Panel(ports, options);
    const { led, enclosure } = options.config;
    if (led !== undefined)
      await panel.#absent('panel.led', async () => {
        const line = await ports.lines.output(led.gpio, led.activeLow);
        panel.#led = new StatusLed(ports, line, ports.conditions);
      });
    if (enclosure !== undefined) await panel.#absent('panel.enclosure', () => panel.#watch(enclosure));
    return panel;
  }

  /** Before the intake stops: the last reading of the epoch still goes its way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#heartbeat?.cancel();
    this.#waiting?.cancel();
    this.#contact?.close();
    const device = this.#device;
    if (this.#link !== undefined && device !== undefined) {
      await device.finish();
      for (let waitedMs = 0; device.held.length > 0 && waitedMs < FAREWELL_MS; waitedMs += LOOK_MS)
        await new Promise<void>(resolve => void this.#ports.clock.after(LOOK_MS, resolve));
      await this.#link.stop();
    }
    this.#led?.close();
  }

  async #absent(setting: string, begin: () => Promise<void>): Promise<void> {
    try {
      await begin();
    } catch (error) {
      const fault = error instanceof Fault ? error : undefined;
      this.#ports.log.warn('panel-absent', {
        setting,
        error: fault?.message ?? String(error),
        ...(fault && { remedy: fault.remedy }),
      });
    }
  }

  async #watch(enclosure: NonNullable<PanelConfig['enclosure']>): Promise<void> {
    const { clock, digest, keyring, lines, storage } = this.#ports;
    const line = await lines.input(enclosure.gpio);
    try {
      const ports = { storage, digest, random: this.#ports.random };
      const { directory, version } = this.#options;
      const taken = (id: string) => keyring.get(id) !== undefined;
      const keys = (await OwnKeys.load(ports, directory)) ?? (await OwnKeys.create(ports, directory, taken));
      this.#device = new OwnDevice({ clock, log: this.#ports.log, digest, keys }, version);
      this.#contact = new Contact(clock, line, enclosure, {
        settled: (open, sinceMs) => this.#settled(open, sinceMs),
        failed: error => this.#failed(error),
      });
      await this.#enrol(keys, true);
    } catch (error) {
      this.#contact?.close();
      if (this.#contact === undefined) line.close();
      throw error;
    }
  }

  /** Nothing is sealed before somebody could verify it. */
  async #enrol(keys: OwnKeys, first: boolean): Promise<void> {
    const { clock, keyring, log } = this.#ports;
    if (this.#closed) return;
    if (keyring.get(keys.id) === undefined && first) {
      try {
        await this.#ports.enrol({ id: keys.id, ...(await keys.base()), down: keys.down });
      } catch (error) {
        const fault = error instanceof Fault ? error : undefined;
        log.warn('panel-not-in-keyring', {
          device: keys.id,
          error: fault?.message ?? String(error),
          remedy: fault?.code === 'own-device-removed' ? fault.remedy : 'sovereign device own',
        });
      }
    }
    if (keyring.get(keys.id) !== undefined) await this.#begin(keys);
    else
      this.#waiting = clock.after(
        ENROL_MS,
        () => void this.#absent('panel.enclosure', () => this.#enrol(keys, false)),
      );
  }

  async #begin(keys: OwnKeys): Promise<void> {
    const { clock, digest, log, random } = this.#ports;
    const device = this.#device!;
    await device.begin();
    if (this.#closed) return;
    this.#link = new OwnLink({ clock, random }, device, digest.hmac(keys.down));
    await this.#ports.listen(this.#link);
    log.info('panel-enclosure', { device: keys.id });
    if (Object.keys(this.#state).length > 0) this.#say();
    this.#beat();
  }

  #settled(open: boolean, sinceMs: number): void {
    const since = Math.max(0, Math.round(sinceMs - this.#beganMs) / 1000);
    const mended = 'enclosure/fault' in this.#state ? { 'enclosure/fault': 'none' } : {};
    this.#state = { enclosure: open, 'enclosure/at': { seconds: since }, ...mended };
    this.#ports.log.info('enclosure', { open });
    this.#say();
    this.#state = { enclosure: open, 'enclosure/at': { seconds: since } };
  }

  #failed(error: unknown): void {
    this.#ports.log.warn('panel-enclosure-unreadable', { error: String(error) });
    this.#state = { 'enclosure/fault': 'no-answer' };
    this.#say(Kind.fault);
  }

  /** Before it may seal, it has nothing to say yet: then what the state is will be said first. */
  #say(kind = 0): void {
    if (this.#link !== undefined) this.#device?.say(this.#state, kind);
  }

  #beat(): void {
    this.#heartbeat = this.#ports.clock.after(HEARTBEAT_MS, () => {
      // One that waits for the disk is enough.
      if (this.#device?.held.length === 0)
        this.#device.say({ ...this.#state, losses: { count: this.#device.losses } }, Kind.heartbeat);
      this.#beat();
    });
  }
}
