/** The gateway itself, its clock, its keyring, and what comes in. */
import type { LinkStatus } from '../control/status.js';
import { counter, counters, type Family, flag, gauge, labelValue, seconds } from './family.js';

/** Serial ports are as many as the configuration has; the other links come and go under any name. */
function serial(name: string, help: string, value: (link: LinkStatus) => number | undefined): Family {
  return {
    name: `sovereign_serial_${name}_total`,
    help,
    type: 'counter',
    labels: ['port'],
    samples: ({ links }) =>
      links
        .filter(link => link.name.startsWith('serial:'))
        .map(link => ({ labels: { port: labelValue(link.name.slice(7)) }, value: value(link) })),
  };
}

const KINDS = ['serial', 'tcp', 'mqtt', 'sdk'] as const;

export const GATEWAY: readonly Family[] = [
  {
    name: 'sovereign_gateway_info',
    help: 'Always 1; the labels say which gateway this is and what it runs.',
    type: 'gauge',
    labels: ['site', 'gateway', 'version', 'runtime'],
    samples: ({ site, gateway, version, runtime }) => [
      { labels: { site, gateway, version, runtime: labelValue(runtime) }, value: 1 },
    ],
  },
  gauge('sovereign_gateway_uptime_seconds', 'How long the gateway has been running.', status =>
    seconds(status.uptimeMs),
  ),
  // Named as every process of Prometheus' world names them.
  gauge(
    'process_resident_memory_bytes',
    'Memory that the gateway takes.',
    status => status.process?.residentBytes,
  ),
  gauge(
    'nodejs_heap_size_used_bytes',
    'Memory that its JavaScript objects fill.',
    status => status.process?.heapBytes,
  ),
  counter(
    'process_cpu_seconds_total',
    'Time of all processor cores that the gateway has taken.',
    status => status.process?.cpuSeconds,
  ),
  gauge(
    'sovereign_handover_timestamp_seconds',
    'Unix time at which this gateway was restored from a backup; absent when it never was.',
    status => seconds(status.handover?.restoredAt),
  ),
  gauge(
    'sovereign_backup_timestamp_seconds',
    'Unix time at which the last backup of this gateway was begun; absent when there was none.',
    status => seconds(status.lastBackupAt),
  ),
  {
    name: 'sovereign_part_working',
    help: '1 while a part of the gateway does its work; only while all do, the watchdog of systemd is fed.',
    type: 'gauge',
    labels: ['part'],
    samples: ({ health }) =>
      Object.entries(health?.parts ?? {}).map(([part, { ok }]) => ({ labels: { part }, value: Number(ok) })),
  },
  gauge('sovereign_clock_timestamp_seconds', 'Unix time as the clock of the gateway has it.', status =>
    seconds(status.clock.at),
  ),
  gauge(
    'sovereign_clock_synchronised',
    '1 while the system says that its clock is right, 0 while it says that it is not.',
    status => flag(status.clock.synchronised),
  ),
  gauge('sovereign_keyring_devices', 'Devices in the keyring.', status => status.keyring.devices),
  gauge(
    'sovereign_keyring_faulty',
    '1 while the keyring file as it is now is not used; the keys from before are.',
    status => flag(status.keyring.fault !== undefined),
  ),
  {
    name: 'sovereign_links',
    help: 'Links that are open, by kind.',
    type: 'gauge',
    labels: ['kind'],
    samples: ({ links, linkCount }) => {
      // Beyond what a status lists, the rest goes without its kind.
      const kinds = new Map<string, number>([['unlisted', linkCount - links.length]]);
      for (const { name } of links) {
        const kind = KINDS.find(known => name.startsWith(`${known}:`)) ?? 'other';
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
      return [...KINDS, 'other', 'unlisted']
        .map(kind => ({ labels: { kind }, value: kinds.get(kind) ?? 0 }))
        .filter(({ labels, value }) => value > 0 || (KINDS as readonly string[]).includes(labels.kind));
    },
  },
  serial('frames', 'Frames that have come over a serial port since it was opened.', ({ frames }) => frames),
  serial(
    'noise_bytes',
    'Bytes between frames on a serial port since it was opened: a cable, a baud rate, or the board’s boot log.',
    ({ noiseBytes }) => noiseBytes,
  ),
  serial(
    'broken_frames',
    'Frames on a serial port since it was opened whose checksum was wrong.',
    ({ noiseFrames }) => noiseFrames,
  ),
  counters(
    'sovereign_intake_events_total',
    'What has happened to what came in, by event: next, gap, replay, fork, refused:mac and so on.',
    'event',
    status => status.counters,
  ),
];
