/** Sends a device its settings, and hears from its heartbeats which it has taken. */

import type { EnvelopeReader } from '../../firmware/seal/index.js';
import { readRecords } from '../../firmware/seal/index.js';
import type { Session } from './session.js';
import type { Shared } from './shared.js';

/** After a hello that asked for none, and heartbeats that don't show them, they are sent again no faster. */
const AGAIN_MS = 30_000;

export class SettingsSender {
  readonly #shared: Shared;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** After the hello of a new session. */
  begin(session: Session): void {
    const { configVersion } = session.hello;
    const before = session.device.settings?.acknowledged ?? 0;
    const acknowledged = Math.max(0, Math.min(before, configVersion)); // it may have started anew since
    session.device.settings = { supported: configVersion >= 0, acknowledged, fault: '' };
    if (configVersion < 0) return;
    this.#sentMs = Number.NEGATIVE_INFINITY;
    void this.#send(session, configVersion);
  }

  /** An authentic heartbeat, `bytes[…]` as the envelope names them. */
  heartbeat(session: Session, bytes: Uint8Array, envelope: EnvelopeReader): void {
    const { settings } = session.device;
    if (settings === undefined || !settings.supported || this.#shared.settings === undefined) return;
    let refused = 0;
    settings.fault = '';
    for (const { n, v, vs } of readRecords(bytes, envelope.recordsAt, envelope.recordsEnd)) {
      if (n === 'config-version' && isVersion(v)) settings.acknowledged = v;
      else if (n === 'config-refused' && isVersion(v)) refused = v;
      else if (n === 'config-fault' && typeof vs === 'string') settings.fault = vs.slice(0, 128);
    }
    const version = this.#shared.settings.version(session.device.id) ?? 0;
    if (settings.acknowledged >= version || refused >= version) return;
    // The message was lost on the link: nothing else says so.
    void this.#send(session, Math.max(settings.acknowledged, refused));
  }

  async #send(session: Session, has: number): Promise<void> {
    const { settings, clock, down, counters, log } = this.#shared;
    const now = clock.monotonic();
    if (settings === undefined || now - this.#sentMs < AGAIN_MS) return;
    this.#sentMs = now;
    const { device, entry } = session;
    const due = await settings.due(device.id, entry.name, has).catch(() => undefined);
    // Meanwhile the device may have gone, or come back over another link.
    if (due === undefined || device.speaker !== session) return;
    counters.add('settings-sent');
    log.info('settings', { device: device.id, link: session.linkName, version: due.version });
    down.config(session, due.version, due.bytes);
  }
}

/** The device's word is authentic, not right. */
function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
