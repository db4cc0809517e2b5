/**
 * What runs on a board: puts the pieces together and drives them by one timer. The only file with effects at import,
 * and, with boards/<board>/pins.ts, the only one that knows the SDK.
 */
import { board } from 'boards/this/pins';
import {
  feedWatchdog,
  freeMemoryBytes,
  readRetained,
  restart,
  startCause,
  startWatchdog,
  uptimeMs,
  writeRetained,
} from 'native/chip';
import { Hmac, sha256 } from 'native/digest';
import { fill } from 'native/random';
import Timer from 'timer';
import { Alive } from './alive.js';
import type { BoardPorts } from './board.js';
import { Device } from './device.js';
import { type LampState, lampLit } from './lamp.js';
import type { DeviceLink } from './links/link.js';
import type { Flash, Random, Uptime, Watchdog, Wire } from './ports.js';
import { Provisioning } from './provisioning.js';
import { Restarts } from './restarts.js';
import { type BoardSettings, type Digest, toHex, utf8 } from './seal/index.js';
import { FlashBacklog } from './store/flash-backlog.js';
import { eraseBacklog } from './store/flash-ring.js';
import { KEY_STORE_SECTORS, KeyStore } from './store/key-store.js';
import { SETTINGS_SECTORS, SettingsStore } from './store/settings.js';

/** Name and version, as the gateway shows them. */
const FIRMWARE = 'sovereign-edge 0.1.0';
const TICK_MS = 10;
const WATCHDOG_MS = 8_000;
/** A device that has nothing to do for longer is looked at all the same: else nobody would feed the watchdog. */
const MAX_IDLE_MS = 2_000;
/** Before a board that could not even be put together tries again. */
const UNMADE_MS = 5_000;
const CAUSES = ['power-on', 'watchdog', 'reset', 'brown-out'];
/** Layout of the region: keys, settings, one sector to spare, backlog. Never changed once boards are in the field. */
const SETTINGS_AT = KEY_STORE_SECTORS;
const BACKLOG_AT = SETTINGS_AT + SETTINGS_SECTORS + 1;
const MAX_ENVELOPE_BYTES = 512;

const digest: Digest = { sha256, hmac: key => new Hmac(key) };
const uptime: Uptime = { nowMs: uptimeMs };
const watchdog: Watchdog = { feed: feedWatchdog };

class Main {
  readonly #restarts = new Restarts({ read: readRetained, write: writeRetained });
  readonly #lamp = board.lamp();
  readonly #ports: BoardPorts;
  readonly #provisioning: Provisioning;
  readonly #cable: DeviceLink;
  /** The way to the gateway: the cable or the network. */
  #link: DeviceLink | undefined;
  #radio = false;
  #device: Device | undefined;
  #alive: Alive | undefined;
  #begun = false;
  #lit = false;
  #said = false;
  #pollAtMs = 0;
  #startAtMs = 0;
  #doneAtMs = -1;

  constructor() {
    this.#restarts.boot(CAUSES[startCause()]);
    const random: Random = { fill: target => fill(target, this.#radio) };
    const wake = () => {
      this.#pollAtMs = 0;
    };
    this.#ports = { uptime, random, wake };
    const flash = board.flash();
    const keys = new KeyStore(flash);
    const settings = new SettingsStore(flash, SETTINGS_AT);
    const forget = () =>
      eraseBacklog(flash, BACKLOG_AT, board.backlogSectors, feedWatchdog) ? '' : 'flash erase failed';
    // Both only answer what has come, which is after this.
    const wire: Wire = { send: (buffer, from, to) => this.#cable.send(buffer, from, to) };
    this.#provisioning = new Provisioning(
      { digest, wire, keys, settings, forget },
      { board: board.name, firmware: FIRMWARE, button: board.buttonHeld() },
    );
    this.#cable = board.cable(this.#ports, {
      up: () => this.#changed(this.#cable, true),
      down: () => this.#changed(this.#cable, false),
      received: (bytes, from, to) => {
        this.#provisioning.receive(bytes, from, to);
        if (this.#link === this.#cable) this.#received(bytes, from, to);
      },
      wake,
    });
    if (!this.#provisioning.open && this.#provisioning.state === 'provisioned')
      this.#compose(flash, keys, settings.load());
    this.#startAtMs = this.#restarts.waitMs;
    startWatchdog(WATCHDOG_MS);
  }

  /** A line for people on the cable. It ends in a zero, which ends a frame: the gateway takes it for noise. */
  say(text: string): void {
    const line = utf8(`${text}\r\n\0`, 250);
    this.#cable.send(line, 0, line.length);
  }

  /** Records why, and starts anew. */
  fail(error: unknown): void {
    this.#restarts.fault(`${error}`);
    try {
      this.say(`fault: ${error}`);
    } finally {
      restart();
    }
  }

  tick(): void {
    const nowMs = uptimeMs();
    this.#cable.poll();
    this.#greet();
    if (this.#device === undefined || nowMs < this.#startAtMs) feedWatchdog();
    else if (nowMs >= this.#pollAtMs) this.#poll(nowMs, this.#device);
    this.#show(nowMs);
    if (this.#provisioning.done) {
      if (this.#doneAtMs < 0) this.#doneAtMs = nowMs;
      // Time for the answer to leave, and for the question to come again if it got lost.
      if (nowMs - this.#doneAtMs >= 3_000) restart();
    }
  }

  #compose(flash: Flash, keys: KeyStore, settings: BoardSettings | undefined): void {
    const { id } = keys.identity;
    const backlog = new FlashBacklog(flash, {
      first: BACKLOG_AT,
      sectors: board.backlogSectors,
      id,
      ramBytes: board.backlogBytes,
      maxEnvelopeBytes: MAX_ENVELOPE_BYTES,
    });
    const link =
      settings &&
      board.network?.(settings, toHex(id), this.#ports, {
        up: () => this.#changed(link, true),
        down: () => this.#changed(link, false),
        received: (bytes, from, to) => this.#received(bytes, from, to),
        wake: this.#ports.wake,
      });
    this.#radio = link !== undefined;
    this.#link = link ?? this.#cable;
    const wire: Wire = this.#link;
    const { random } = this.#ports;
    const sources = board.sources(this.#ports);
    const device = new Device(
      {
        digest,
        uptime,
        random,
        wire,
        board: { freeMemoryBytes },
        keys,
        backlog,
        sources,
        ...(board.rtc && { rtc: board.rtc() }),
      },
      {
        firmware: FIRMWARE,
        restart: this.#restarts.reason,
        limits: { maxEnvelopeBytes: MAX_ENVELOPE_BYTES },
      },
    );
    this.#device = device;
    this.#alive = new Alive(device, watchdog, uptime);
  }

  #changed(link: DeviceLink | undefined, up: boolean): void {
    if (this.#begun && link === this.#link) this.#linked(up);
    if (link === this.#cable) this.#said = false;
  }

  #linked(up: boolean): void {
    if (up) this.#device?.linkUp();
    else this.#device?.linkDown();
    this.#pollAtMs = 0;
  }

  #received(bytes: Uint8Array, from: number, to: number): void {
    this.#device?.receive(bytes, from, to);
    this.#pollAtMs = 0;
  }

  #poll(nowMs: number, device: Device): void {
    if (!this.#started(device)) return;
    // What wakes from within a poll must not be forgotten at the end of it.
    this.#pollAtMs = Number.POSITIVE_INFINITY;
    this.#link?.poll();
    const deviceMs = device.poll();
    const linkMs = this.#link?.poll() ?? 0;
    this.#alive?.polled();
    this.#restarts.running(nowMs);
    this.#pollAtMs = Math.min(this.#pollAtMs, uptimeMs() + Math.min(linkMs, deviceMs, MAX_IDLE_MS));
  }

  #started(device: Device): boolean {
    if (this.#begun) return true;
    const fault = device.start();
    if (fault === '') {
      this.#begun = true;
      if (this.#link?.connected) this.#linked(true);
    } else {
      this.say(`cannot start: ${fault}`);
      feedWatchdog();
      this.#startAtMs = uptimeMs() + 60_000;
    }
    return this.#begun;
  }

  /** Says to whoever opens the port what this is. */
  #greet(): void {
    if (this.#said || !this.#cable.connected) return;
    this.#said = true;
    const { open, state } = this.#provisioning;
    this.say(`${FIRMWARE} on ${board.name}: ${open ? 'open for provisioning' : state}`);
  }

  #show(nowMs: number): void {
    const lit = lampLit(this.#lampState(), nowMs);
    if (lit === this.#lit) return;
    this.#lit = lit;
    this.#lamp(lit);
  }

  #lampState(): LampState {
    if (this.#provisioning.open || this.#provisioning.done) return 'open';
    if (this.#device === undefined || !this.#begun) return 'fault';
    return this.#device.session.open ? 'connected' : 'away';
  }
}

let main: Main | undefined;

function failed(error: unknown): void {
  if (main !== undefined) main.fail(error);
  else {
    // Nothing to say it with: the retained memory tells the next boot, if there is one.
    const restarts = new Restarts({ read: readRetained, write: writeRetained });
    restarts.fault(`${error}`);
    // Not at once: it will fail again, and the wait after fast restarts is where it never got to.
    Timer.repeat(restart, UNMADE_MS);
  }
}

/** The engine itself gives up (memory, stack): it calls this, when it still can, and then resets the chip. */
(globalThis as { abort?: (reason: string) => void }).abort = reason => failed(reason);

try {
  main = new Main();
  const running = main;
  Timer.repeat(() => {
    try {
      running.tick();
    } catch (error) {
      failed(error);
    }
  }, TICK_MS);
} catch (error) {
  failed(error);
}
