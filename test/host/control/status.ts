import type { NodeStatus } from '../../../host/control/status.js';

/** What a gateway says that has just begun. */
export const emptyStatus: NodeStatus = {
  version: '0.1.0',
  runtime: 'node v20.15.0',
  pid: 42,
  site: 'cellar',
  gateway: 'gw-1',
  configFile: '/etc/sovereign/config.yaml',
  dataDirectory: '/var/lib/sovereign',
  startedAt: 1_780_000_000_000,
  uptimeMs: 61_000,
  clock: { at: 1_780_000_061_000 },
  keyring: { devices: 0 },
  links: [],
  linkCount: 0,
  devices: [],
  deviceCount: 0,
  journal: { state: 'ok', oldestOffset: 0, durableOffset: 1, segments: 1, pendingBytes: 0, entries: 1 },
  quarantine: { bytes: 0, kept: 0, dropped: {}, reasons: {}, evidence: 0 },
  counters: {},
};
