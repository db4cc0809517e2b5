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
import type { Cable } from './board.js';
import { Device } from './device.js';
import { type LampState, lampLit } from './lamp.js';
import { CableWire } from './links/cable-wire.js';
import type { Flash, Random, Uptime, Watchdog } from './ports.js';
import { Provisioning } from './provisioning.js';
import { Restarts } from './restarts.js';
import { type Digest, utf8 } from './seal/index.js';
import { FlashBacklog } from './store/flash-backlog.js';
import { eraseBacklog } from './store/flash-ring.js';
import { KEY_STORE_SECTORS, KeyStore } from './store/key-store.js';
import { SETTINGS_SECTORS, SettingsStore } from './store/settings.js';

/** Name and version, as the gateway shows them. */
const FIRMWARE = 'sovereign-edge 0.1.0';
const TICK_MS = 10;
const WATCHDOG_MS = 8_000;
const CAUSES = ['power-on', 'watchdog', 'reset', 'brown-out'];
/** Layout of the region: keys, settings, one sector to spare, backlog. Never changed once boards are in the field. */
const SETTINGS_AT = KEY_STORE_SECTORS;
const BACKLOG_AT = SETTINGS_AT + SETTINGS_SECTORS + 1;
const MAX_ENVELOPE_BYTES = 512;

const digest: Digest = { sha256, hmac: key => new Hmac(key) };
const random: Random = { fill };
const uptime: Uptime = { nowMs: uptimeMs };
const watchdog: Watchdog = { feed: feedWatchdog };

class Main {
  readonly #cables: readonly Cable[] = board.cables();
  readonly #wire = new CableWire(this.#cables);
  readonly #restarts = new Restarts({ read: readRetained, write: writeRetained });
  readonly #lamp = board.lamp();
  readonly #input = new Uint8Array(256);
  readonly #provisioning: Provisioning;
  #device: Device | undefined;
  #alive: Alive | undefined;
  #lit = false;
  #linked = 0;
  #pollAtMs = 0;
  #startAtMs = 0;
  #doneAtMs = -1;

  constructor() {
    this.#restarts.boot(CAUSES[startCause()]);
    const flash = board.flash();
    const keys = new KeyStore(flash);
    const settings = new SettingsStore(flash, SETTINGS_AT);
    const forget = () => (eraseBacklog(flash, BACKLOG_AT, board.backlogSectors) ? '' : 'flash erase failed');
    this.#provisioning = new Provisioning(
      { digest, wire: this.#wire, keys, settings, forget },
      { board: board.name, firmware: FIRMWARE, button: board.buttonHeld() },
    );
    const { open, state } = this.#provisioning;
    this.say(`${FIRMWARE} on ${board.name}: ${open ? 'open for provisioning' : state}`);
    if (!open && state === 'provisioned') this.#compose(flash, keys);
    this.#startAtMs = this.#restarts.waitMs;
    startWatchdog(WATCHDOG_MS);
  }

  /** A line for people on the cable. It ends in a zero, which ends a frame: the gateway takes it for noise. */
  say(text: string): void {
    const line = utf8(`${text}\r\n\0`, 250);
    this.#wire.send(line, 0, line.length);
  }

  /** Records why, and starts anew. */
  fail(error: unknown): void {
    const text = `${error}`;
    this.#restarts.fault(text);
    this.say(`fault: ${text}`);
    restart();
  }

  tick(): void {
    const nowMs = uptimeMs();
    const woken = this.#receive();
    if (this.#device === undefined || nowMs < this.#startAtMs) feedWatchdog();
    else if (woken || nowMs >= this.#pollAtMs) this.#poll(nowMs, this.#device);
    this.#show(nowMs);
    if (this.#provisioning.done) {
      if (this.#doneAtMs < 0) this.#doneAtMs = nowMs;
      // Time for the answer to leave, and for the question to come again if it got lost.
      if (nowMs - this.#doneAtMs >= 3_000) restart();
    }
  }

  #compose(flash: Flash, keys: KeyStore): void {
    const backlog = new FlashBacklog(flash, {
      first: BACKLOG_AT,
      sectors: board.backlogSectors,
      id: keys.identity.id,
      ramBytes: board.backlogBytes,
      maxEnvelopeBytes: MAX_ENVELOPE_BYTES,
    });
    const wake = () => {
      this.#pollAtMs = 0;
    };
    const device = new Device(
      {
        digest,
        uptime,
        random,
        wire: this.#wire,
        board: { freeMemoryBytes },
        keys,
        backlog,
        sources: board.sources({ uptime, wake }),
      },
      {
        firmware: FIRMWARE,
        restart: this.#restarts.reason,
        limits: { maxEnvelopeBytes: MAX_ENVELOPE_BYTES, heartbeatMs: 60_000 },
      },
    );
    this.#device = device;
    this.#alive = new Alive(device, watchdog, uptime);
  }

  /** @returns whether anything came that the device should look at */
  #receive(): boolean {
    let any = false;
    for (let cable = 0; cable < this.#cables.length; cable++) {
      const bytes = this.#cables[cable].read(this.#input);
      if (bytes === 0) continue;
      any = true;
      this.#wire.heard(cable);
      this.#provisioning.receive(this.#input, 0, bytes);
      this.#device?.receive(this.#input, 0, bytes);
    }
    return any;
  }

  #poll(nowMs: number, device: Device): void {
    if (!this.#started(device)) return;
    const opened = this.#wire.opened();
    if (opened !== this.#linked) {
      this.#linked = opened;
      if (opened > 0) device.linkUp();
      else device.linkDown();
    }
    const waitMs = device.poll();
    this.#alive?.polled();
    this.#restarts.running(nowMs);
    this.#pollAtMs = uptimeMs() + waitMs;
  }

  #begun = false;
  #started(device: Device): boolean {
    if (this.#begun) return true;
    const fault = device.start();
    if (fault === '') this.#begun = true;
    else {
      this.say(`cannot start: ${fault}`);
      feedWatchdog();
      this.#startAtMs = uptimeMs() + 60_000;
    }
    return this.#begun;
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
    restart();
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
