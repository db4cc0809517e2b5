/** Devices as people read them, for `status` and `devices`. */
import { deviceState } from '../control/device-state.js';
import type { DeviceStatus } from '../control/status.js';
import { agoText } from '../texts.js';
import { type Output, printable } from './output.js';

/** @param now by the gateway's clock, Unix ms */
export async function deviceTable(
  devices: readonly DeviceStatus[],
  now: number,
  output: Output,
): Promise<void> {
  if (devices.length === 0) {
    await output.line('no device has been heard yet');
    return;
  }
  await output.table(
    [
      { title: 'DEVICE' },
      { title: 'NAME' },
      { title: 'STATE' },
      { title: 'LAST', align: 'right' },
      { title: 'HEARD', align: 'right' },
      { title: 'READINGS', align: 'right' },
      { title: 'GAPS', align: 'right' },
      { title: 'BACKLOG', align: 'right' },
      { title: 'LINK' },
    ],
    devices.map(device => row(device, now, output)),
  );
}

/** Says how many more there are than are listed. */
export async function unlistedNote(listed: number, deviceCount: number, output: Output): Promise<void> {
  if (deviceCount > listed)
    await output.note(
      `${deviceCount - listed} more are not listed: those heard longest ago, and not silent; sovereign devices NAME shows each`,
    );
}

/** Devices that have not taken the settings that are meant for them. */
export async function settingsNotes(devices: readonly DeviceStatus[], output: Output): Promise<void> {
  for (const { id, name, settings } of devices) {
    if (settings === undefined || settings.acknowledged === settings.version) continue;
    const { version, acknowledged, supported, fault } = settings;
    const why = !supported
      ? 'its firmware takes none'
      : `it has ${acknowledged === 0 ? 'its own' : `version ${acknowledged}`}${fault === undefined ? '' : `: ${printable(fault)}`}`;
    await output.note(`${printable(name ?? id)}: settings version ${version} are not in force, ${why}`);
  }
}

function row(device: DeviceStatus, now: number, output: Output): string[] {
  const { epoch, seq, heardAt } = device;
  const state = deviceState(device);
  const style = device.silent ? 'red' : device.online ? 'green' : 'yellow';
  return [
    device.id,
    printable(device.name ?? '-'),
    output.style(style, state),
    epoch === undefined || seq === undefined ? '-' : `${epoch}:${seq}`,
    heardAt === undefined ? '-' : agoText(heardAt, now),
    String(device.readings),
    device.gaps === 0 ? '0' : output.style('yellow', String(device.gaps)),
    String(device.backlog ?? '-'),
    printable(device.link ?? '-'),
  ];
}
