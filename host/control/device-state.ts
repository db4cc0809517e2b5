/** How a device stands, in one word: the same in commands, metrics and page. */
import type { DeviceStatus } from './status.js';

/**
 * `online`: it has a session. `heard`: it has none, being a sensor of sovereign-sdk, and was heard since the gateway began.
 * `offline`: it has no session, and that is not long for a device. `silent`: it is. `removed`: no longer in the keyring.
 */
export type DeviceState = 'online' | 'heard' | 'offline' | 'silent' | 'removed';

export function deviceState({ name, sdk, silent, online, heardAt }: DeviceStatus): DeviceState {
  if (name === undefined) return 'removed';
  if (silent) return 'silent';
  if (online) return 'online';
  return sdk && heardAt !== undefined ? 'heard' : 'offline';
}
