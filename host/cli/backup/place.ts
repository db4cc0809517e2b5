/** Where a gateway stands: the running one says it; of one that is stopped, its files do. */
import { join } from 'node:path';
import { type GatewayPlace, readPlace } from '../../backup/contents.js';
import type { Config } from '../../config.js';
import { callGateway } from '../../control/client.js';
import { Fault } from '../../fault.js';
import { Cursor } from '../../journal/cursor.js';
import { Journal } from '../../journal/journal.js';
import { segmentsIn } from '../../journal/names.js';
import { systemClock } from '../../node/clock.js';
import { lockDirectory } from '../../node/lock.js';
import { NodeStorage } from '../../node/storage.js';
import { connectUnix } from '../../node/unix-socket.js';
import type { Log } from '../../ports.js';
import { CONTROL_SOCKET } from '../ask.js';

export interface Found {
  readonly place: GatewayPlace;
  /** What it says of itself; absent when it is not running. */
  readonly status?: unknown;
  /** After the backup. */
  release(): Promise<void>;
}

const storage = new NodeStorage();
const CURSOR = 'uplink';
const NOTHING: GatewayPlace = {
  positions: new Map(),
  nextOffset: 1,
  durableOffset: 1,
  segments: [],
  previous: null,
  cursors: {},
};

/** @throws Fault when a gateway runs and does not answer, or the stores of a stopped one can't be opened */
export async function findPlace(config: Config, log: Log): Promise<Found> {
  const socket = join(config.dataDirectory, CONTROL_SOCKET);
  const ports = { clock: systemClock, connect: connectUnix };
  try {
    const place = readPlace(await callGateway(ports, socket, 'checkpoint', {}));
    const status = await callGateway(ports, socket, 'status', {});
    return { place, status, release: async () => {} };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'gateway-absent') throw error;
  }
  return stopped(config, log);
}

/** What was visible and not known to be synced when it stopped is synced first, as the gateway itself would do. */
async function stopped({ dataDirectory }: Config, log: Log): Promise<Found> {
  const directory = join(dataDirectory, 'journal');
  if (segmentsIn(await storage.list(directory)).length === 0)
    return { place: NOTHING, release: async () => {} };
  const lock = await lockDirectory(dataDirectory);
  try {
    const cursor = await Cursor.open(storage, join(dataDirectory, 'cursors'), CURSOR);
    const journal = await Journal.open({ storage, clock: systemClock, log }, { directory }, [cursor]);
    const unsettled = journal.recovering.length;
    const { offset, ranges } = cursor;
    const place = { ...journal.checkpoint(), cursors: { [CURSOR]: { offset, ranges } } };
    await journal.close();
    await cursor.close();
    if (unsettled > 0)
      throw new Fault(
        'journal-unsettled',
        `${unsettled} entries at the end of ${directory} can't be made durable: the disk refuses`,
        'make room on that disk, or copy the data directory to a sound one, and back that up',
      );
    return { place, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
