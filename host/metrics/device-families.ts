/**
 * Devices. Each has a dozen series, so only so many are told one by one: the first by id, which stay the same from
 * scrape to scrape. The totals are of all.
 */
import { type DeviceState, deviceState } from '../control/device-state.js';
import type { DeviceStatus, NodeStatus } from '../control/status.js';
import { type Family, flag, gauge, labelValue, type Sample, seconds } from './family.js';

export function deviceFamilies(maxDevices: number): readonly Family[] {
  const listed = ({ devices }: NodeStatus) =>
    devices.length <= maxDevices
      ? devices
      : [...devices].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, maxDevices);
  const each = (
    type: Family['type'],
    name: string,
    help: string,
    value: (device: DeviceStatus) => number | undefined,
  ): Family => ({
    name: `sovereign_device_${name}`,
    help,
    type,
    labels: ['device', 'name'],
    samples: status => listed(status).map(device => ({ labels: labelsOf(device), value: value(device) })),
  });

  return [
    {
      name: 'sovereign_devices',
      help: 'Devices by state: online (has a session), heard (has none, being a sensor of sovereign-sdk), silent (not heard for longer than devices ever are), removed (no longer in the keyring), offline (the rest); unlisted: beyond what a status lists, heard longest ago and not silent.',
      type: 'gauge',
      labels: ['state'],
      samples: byState,
    },
    gauge(
      'sovereign_devices_unlisted',
      'Devices that are not told one by one, since there are more than metrics.maxDevices.',
      ({ devices, deviceCount }) => deviceCount - Math.min(devices.length, maxDevices),
    ),
    {
      name: 'sovereign_device_info',
      help: 'Always 1; the labels say which firmware the device has.',
      type: 'gauge',
      labels: ['device', 'name', 'firmware'],
      samples: status =>
        listed(status).map(device => ({
          labels: { ...labelsOf(device), firmware: labelValue(device.firmware ?? '') },
          value: 1,
        })),
    },
    each('gauge', 'online', '1 while the device has a session.', ({ online }) => flag(online)),
    each(
      'gauge',
      'silent',
      '1 while the device is not heard for longer than devices ever are.',
      ({ silent }) => flag(silent),
    ),
    each('gauge', 'last_heard_timestamp_seconds', 'Unix time at which the device was last heard.', device =>
      seconds(device.heardAt),
    ),
    each('gauge', 'epoch', 'Epoch of the last durable reading: rises with each boot.', ({ epoch }) => epoch),
    each('gauge', 'sequence', 'Number of the last durable reading in its epoch.', ({ seq }) => seq),
    each('counter', 'readings_total', 'Readings journalled.', ({ readings }) => readings),
    each('counter', 'gaps_total', 'Gaps journalled: readings that nobody can deliver.', ({ gaps }) => gaps),
    each(
      'counter',
      'forks_total',
      'Readings with a number that another reading of the device has: a sign of a clone.',
      ({ counts }) => counts.fork ?? 0,
    ),
    each(
      'gauge',
      'clock_synchronised',
      '1 when the clock of the device was set at its last reading.',
      ({ clock }) => flag(clock && clock === 'synchronised'),
    ),
    each('gauge', 'signal_dbm', 'How well the device hears its Wi-Fi.', ({ signal }) => signal),
    each(
      'gauge',
      'backlog_readings',
      'Readings that the device held until they are receipted, at its last hello or heartbeat.',
      ({ backlog }) => backlog,
    ),
    each(
      'counter',
      'lost_readings_total',
      'Readings that the device has given up, by its last hello or heartbeat.',
      ({ losses }) => losses,
    ),
    each(
      'gauge',
      'settings_pending',
      '1 while the device has not taken the settings that are meant for it.',
      ({ settings }) => flag(settings && settings.acknowledged < settings.version),
    ),
    each('gauge', 'settings_refused', '1 while the device refuses its settings.', ({ settings }) =>
      flag(settings && settings.fault !== undefined),
    ),
  ];
}

const labelsOf = ({ id, name }: DeviceStatus) => ({ device: id, name: labelValue(name ?? '') });

function byState({ devices, deviceCount }: NodeStatus): Sample[] {
  const count: Record<DeviceState, number> = { online: 0, heard: 0, silent: 0, removed: 0, offline: 0 };
  for (const device of devices) count[deviceState(device)] += 1;
  const unlisted = deviceCount - devices.length;
  return Object.entries(unlisted > 0 ? { ...count, unlisted } : count).map(([state, value]) => ({
    labels: { state },
    value,
  }));
}
