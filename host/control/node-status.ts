/** Makes the one status object out of what the parts of the gateway say of themselves. */
import type { HandoverStatus } from '../backup/handover.js';
import type { Config, LogLevel } from '../config.js';
import type { Fault } from '../fault.js';
import type { IntakeFacts } from '../intake/facts.js';
import type { DevicePosition } from '../journal/entry.js';
import type { JournalState } from '../journal/journal.js';
import type { UplinkState } from '../uplink/types.js';
import {
  type DeviceStatus,
  type HealthStatus,
  MAX_DEVICES,
  MAX_LINKS,
  type NodeStatus,
  type ProcessStatus,
  type WriteStatus,
} from './status.js';

/** What is asked of the journal. */
export interface JournalFacts {
  readonly state: JournalState;
  readonly positions: ReadonlyMap<string, DevicePosition>;
  readonly oldestOffset: number;
  readonly durableOffset: number;
  readonly segmentCount: number;
  readonly pendingBytes: number;
  distance(from: number, to: number): number;
}

/** What is found out now and then. */
export interface Observed {
  readonly availableBytes: number | undefined;
  readonly journalBytes: number | undefined;
  readonly oldestAt: number | undefined;
  readonly lastBackupAt: number | undefined;
  readonly writes: WriteStatus | undefined;
}

export interface StatusParts {
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly process?: ProcessStatus | undefined;
  readonly config: Config;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly health?: HealthStatus;
  readonly now: number;
  readonly synchronised?: boolean;
  readonly keyring: { readonly size: number; readonly fault?: Fault | undefined };
  readonly intake: IntakeFacts;
  readonly journal: JournalFacts;
  readonly observed?: Observed;
  readonly logLevel?: LogLevel;
  readonly uplink?: UplinkState;
  readonly handover?: HandoverStatus | undefined;
}

export function nodeStatus(parts: StatusParts): NodeStatus {
  const { config, intake, journal, keyring, observed, uplink } = parts;
  const fault = journal.state.name === 'stalled' ? journal.state.fault.message : undefined;
  return {
    version: parts.version,
    runtime: parts.runtime,
    pid: parts.pid,
    ...(parts.process && { process: parts.process }),
    site: config.site,
    gateway: config.gateway,
    configFile: config.file,
    dataDirectory: config.dataDirectory,
    startedAt: parts.startedAt,
    uptimeMs: Math.round(parts.uptimeMs),
    ...(parts.handover && { handover: parts.handover }),
    ...(observed?.lastBackupAt !== undefined && { lastBackupAt: observed.lastBackupAt }),
    ...(parts.health && { health: parts.health }),
    clock: {
      at: parts.now,
      ...(parts.synchronised !== undefined && { synchronised: parts.synchronised }),
    },
    keyring: { devices: keyring.size, ...(keyring.fault && { fault: keyring.fault.message }) },
    links: intake.links
      .slice(0, MAX_LINKS)
      .map(({ device, ...link }) => ({ ...link, devices: device === undefined ? [] : [device] })),
    linkCount: intake.links.length,
    devices: deviceStatuses(intake.devices, journal.positions),
    deviceCount: intake.devices.length,
    journal: {
      state: journal.state.name,
      ...(fault !== undefined && { fault }),
      oldestOffset: journal.oldestOffset,
      durableOffset: journal.durableOffset,
      segments: journal.segmentCount,
      entries: journal.distance(journal.oldestOffset, journal.durableOffset),
      pendingBytes: journal.pendingBytes,
      ...(observed?.availableBytes !== undefined && { availableBytes: observed.availableBytes }),
      ...(observed?.journalBytes !== undefined && { bytes: observed.journalBytes }),
      ...(observed?.oldestAt !== undefined && { oldestAt: observed.oldestAt }),
      ...(observed?.writes && { writes: observed.writes }),
    },
    ...(uplink && {
      uplink: {
        state: uplink.name,
        broker: uplink.broker,
        ...(uplink.fault && { fault: uplink.fault.message }),
        cursor: uplink.cursor,
        head: uplink.head,
        backlog: uplink.backlog,
        drained: uplink.drained,
        paused: uplink.paused,
        inFlight: uplink.inFlight,
        window: uplink.window,
        published: uplink.published,
        ratePerSecond: uplink.ratePerSecond,
        ...(uplink.drainedInSeconds !== undefined && { drainedInSeconds: uplink.drainedInSeconds }),
        ...(uplink.certificateEndsAt !== undefined && { certificateEndsAt: uplink.certificateEndsAt }),
        ...(uplink.fetch && { fetch: uplink.fetch }),
      },
    }),
    quarantine: { ...intake.quarantine, evidence: intake.evidence.stored },
    counters: intake.counters,
    ...(parts.logLevel && { log: { level: parts.logLevel } }),
  };
}

/**
 * At most `MAX_DEVICES`, and wherever fewer are shown it is these first: what is silent or has a twin, since those heard longest
 * ago are what somebody looks for, and then those heard last.
 */
export function deviceStatuses(
  devices: IntakeFacts['devices'],
  positions: ReadonlyMap<string, DevicePosition>,
): DeviceStatus[] {
  const concerns = ({ silent, counts }: (typeof devices)[number]) => Number(silent || (counts.fork ?? 0) > 0);
  const sorted = [...devices].sort(
    (a, b) => concerns(b) - concerns(a) || (b.heardAt ?? 0) - (a.heardAt ?? 0),
  );
  return sorted.slice(0, MAX_DEVICES).map(device => {
    const position = positions.get(device.id);
    return {
      ...device,
      readings: position?.readings ?? 0,
      gaps: position?.gaps ?? 0,
      online: device.link !== undefined,
    };
  });
}
