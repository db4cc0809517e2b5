import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Config, JournalConfig, QuarantineConfig, UplinkConfig } from '../../../host/config.js';

/** Small limits, so that a few hundred readings meet all of them. */
export interface GatewaySettings {
  readonly journal: JournalConfig;
  readonly uplink: UplinkConfig;
  readonly quarantine: QuarantineConfig;
}

const KiB = 1024;

export function drawSettings(chance: SeededRandom): GatewaySettings {
  const one = <T>(...choices: readonly T[]): T => choices[chance.below(choices.length)];
  const between = (from: number, to: number) => Math.floor(from * (to / from) ** chance.unit());
  const quarantineBytes = between(16 * KiB, 256 * KiB);
  return {
    journal: {
      segmentBytes: between(2 * KiB, 48 * KiB),
      maxPendingBytes: between(2 * KiB, 256 * KiB),
      reserveBytes: one(0, 0, between(4 * KiB, 256 * KiB)),
      retainDays: one(0, 0, 1 / 24, 1),
      retainBytes: one(0, between(8 * KiB, 256 * KiB), 1),
    },
    uplink: {
      broker: 'mqtt://broker.test:1883',
      protocol: one('5', '5', '3.1.1'),
      keepAliveSeconds: 30,
      connectTimeoutMs: 10_000,
      window: between(1, 200),
      replayPerSecond: one(0, 0, 0, between(5, 200)),
      fetchPerSecond: between(1, 500),
      readingTopic: chance.unit() < 0.2,
      order: one('oldest-first', 'live-first'),
      batch: chance.unit() < 0.5,
    },
    quarantine: {
      maxBytes: quarantineBytes,
      perReasonBytes: between(4 * KiB, quarantineBytes),
      perDeviceBytes: between(4 * KiB, quarantineBytes),
      unauthenticatedPerDayBytes: between(4 * KiB, quarantineBytes),
      evidenceBytes: between(4 * KiB, 64 * KiB),
      reserveBytes: one(0, between(4 * KiB, 256 * KiB)),
    },
  };
}

export function gatewayConfig(
  names: { site: string; gateway: string; dataDirectory: string },
  settings: GatewaySettings,
  devices: Config['devices'],
): Config {
  return {
    ...names,
    file: `${names.dataDirectory}/config.yaml`,
    keyringFile: `${names.dataDirectory}/keyring.yaml`,
    links: {
      serial: [],
      tcp: { listen: { host: '0.0.0.0', port: 7683 }, maxConnections: 64, maxUnauthenticated: 8 },
      sdk: { listen: { host: '0.0.0.0', port: 7684 }, maxConnections: 64 },
      mqtt: { ...settings.uplink, maxDevices: 16, maxUnauthenticated: 8 },
    },
    ...settings,
    devices,
    log: { level: 'info', format: 'auto' },
  };
}
