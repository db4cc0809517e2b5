/** What each call of `calls.ts` does, put together from the parts of a running gateway. */
import { type CursorPlace, placeObject } from '../backup/contents.js';
import { Fault } from '../fault.js';
import type { Intake } from '../intake/intake.js';
import type { Journal } from '../journal/journal.js';
import type { KeyringView } from '../keyring/entry.js';
import type { LogControl } from '../ports.js';
import type { Uplink } from '../uplink/uplink.js';
import type { BacklogHistory, ControlHandlers, DeviceDetail, UplinkAnswer } from './calls.js';
import { ReadingDecoder } from './decoded.js';
import { deviceStatuses } from './node-status.js';
import { quarantineCalls } from './quarantine.js';
import { ReadingsSearch } from './readings.js';
import type { DeviceStatus, NodeStatus } from './status.js';
import { Tail } from './tail.js';

export interface HandlerParts {
  readonly status: () => Promise<NodeStatus>;
  readonly backlog: () => BacklogHistory;
  readonly cursors: Readonly<Record<string, CursorPlace>>;
  readonly keyring: KeyringView;
  readonly intake: Intake;
  readonly journal: Journal;
  /** Absent when the configuration has none. */
  readonly uplink: Uplink | undefined;
  /** Absent where the log can't be looked at. */
  readonly logControl: LogControl | undefined;
}

const DEFAULT_READINGS = 500;
const DEFAULT_RECENT_LINES = 0;
const ID = /^[0-9a-f]{16}$/;

export function controlHandlers(parts: HandlerParts): ControlHandlers {
  const { keyring, intake, journal } = parts;
  const decoder = new ReadingDecoder();
  const decode = (entry: Parameters<ReadingDecoder['decode']>[0]) =>
    decoder.decode(entry, keyring.get(entry.device)?.name);
  const tail = new Tail(decode);
  journal.onDurable(batch => tail.durable(batch));
  const search = new ReadingsSearch(journal, decode);

  const idOf = (text: string): string => {
    const id = keyring.byName(text)?.id ?? text;
    if (ID.test(id) && (keyring.get(id) !== undefined || journal.positions.has(id))) return id;
    throw new Fault('device-unknown', `no device is called ${text}`, 'sovereign devices lists them');
  };
  const detail = (device: DeviceStatus): DeviceDetail => {
    const entry = intake.lastReading(device.id);
    const last = entry && decode(entry);
    return last === undefined ? device : { ...device, last };
  };
  const uplink = (): Uplink => {
    if (parts.uplink !== undefined) return parts.uplink;
    throw new Fault('uplink-missing', 'the configuration has no uplink', 'add one, and restart the gateway');
  };
  const logControl = (): LogControl => {
    if (parts.logControl !== undefined) return parts.logControl;
    throw new Fault('log-missing', 'this gateway keeps no log that could be looked at');
  };

  return {
    status: () => parts.status(),
    devices: () => {
      const { devices } = intake.status();
      return { devices: deviceStatuses(devices, journal.positions).map(detail), deviceCount: devices.length };
    },
    device: ({ device }) => {
      const id = idOf(device);
      const [known] = deviceStatuses(
        intake.status().devices.filter(one => one.id === id),
        journal.positions,
      );
      if (known !== undefined) return detail(known);
      throw new Fault('device-unknown', `nothing is known of ${id}`, 'sovereign devices lists them');
    },
    drain: () => {
      if (uplink().state.paused)
        throw new Fault('uplink-paused', 'publishing is paused', 'sovereign resume lets it go on');
      uplink().hurry();
      return answerOf(uplink());
    },
    pause: () => {
      uplink().pause();
      return answerOf(uplink());
    },
    resume: () => {
      uplink().resume();
      return answerOf(uplink());
    },
    ...quarantineCalls({ quarantine: intake.quarantine, reconsidering: intake.reconsidering, keyring }),
    'log-level': ({ level }) => {
      const log = logControl();
      const before = log.level;
      log.level = level;
      return { level, before };
    },
    readings: ({ device, before = Number.MAX_SAFE_INTEGER, since = 0, limit = DEFAULT_READINGS }) =>
      search.find({ device: idOf(device), before, since, limit }),
    backlog: () => parts.backlog(),
    checkpoint: () => placeObject({ ...journal.checkpoint(), cursors: parts.cursors }),
    tail: ({ device }) => tail.of(device === undefined ? '' : idOf(device)),
    log: ({ recent = DEFAULT_RECENT_LINES }) => {
      const log = logControl();
      return sink => {
        for (const line of log.recent(recent)) sink.offer(() => line);
        return log.follow(line => sink.offer(() => line));
      };
    },
  };
}

function answerOf({ state }: Uplink): UplinkAnswer {
  const { name, paused, drained, backlog } = state;
  return { state: name, paused, drained, backlog };
}
