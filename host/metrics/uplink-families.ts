/** What publishes: absent as a whole when the configuration has no uplink. */
import type { FetchStatus, UplinkStatus } from '../control/status.js';
import { counter, counters, type Family, flag, gauge, seconds } from './family.js';

const uplink = (name: string, help: string, value: (uplink: UplinkStatus) => number | undefined) =>
  gauge(`sovereign_uplink_${name}`, help, status => status.uplink && value(status.uplink));
const fetch = (name: string, help: string, value: (fetch: FetchStatus) => number) =>
  counter(`sovereign_fetch_${name}_total`, help, ({ uplink }) => uplink?.fetch && value(uplink.fetch));

const STATES: readonly UplinkStatus['state'][] = ['idle', 'connecting', 'online', 'waiting', 'closed'];

export const UPLINK: readonly Family[] = [
  {
    name: 'sovereign_uplink_state',
    help: 'State of the uplink: 1 for the one that it is in.',
    type: 'gauge',
    labels: ['state'],
    samples: ({ uplink }) =>
      uplink === undefined
        ? []
        : STATES.map(state => ({ labels: { state }, value: Number(uplink.state === state) })),
  },
  uplink('online', '1 while the broker takes readings.', ({ state }) => flag(state === 'online')),
  uplink('faulty', '1 from a failure until readings are acknowledged again.', ({ fault }) =>
    flag(fault !== undefined),
  ),
  uplink('paused', '1 while `sovereign pause` holds it.', ({ paused }) => flag(paused)),
  uplink('cursor_offset', 'Up to here the journal is published.', ({ cursor }) => cursor),
  uplink('head_offset', 'Up to here there is something to publish.', ({ head }) => head),
  uplink(
    'backlog_readings',
    'Readings and gaps that are still to be published, at most.',
    ({ backlog }) => backlog,
  ),
  uplink('drained', '1 while everything is published.', ({ drained }) => flag(drained)),
  uplink(
    'in_flight_messages',
    'Messages that the broker has not acknowledged yet.',
    ({ inFlight }) => inFlight,
  ),
  uplink('window_messages', 'Messages that may be unacknowledged at a time.', ({ window }) => window),
  uplink(
    'drained_in_seconds',
    'Until the backlog is gone, if it goes on as in the last ten seconds; absent when it does not get shorter.',
    ({ drainedInSeconds }) => drainedInSeconds,
  ),
  uplink(
    'certificate_expiry_timestamp_seconds',
    'Unix time at which the first of the certificates ends that the connection was made with, ours and the broker’s.',
    ({ certificateEndsAt }) => seconds(certificateEndsAt),
  ),
  counter(
    'sovereign_uplink_published_readings_total',
    'Readings that the broker has acknowledged since the gateway began.',
    ({ uplink }) => uplink?.published,
  ),
  fetch('requests', 'Requests of subscribers that miss readings.', ({ requests }) => requests),
  counters(
    'sovereign_fetch_refused_total',
    'Requests of subscribers that were not taken, by reason.',
    'reason',
    ({ uplink }) => uplink?.fetch?.refused,
  ),
  fetch('ranges', 'Ranges of readings that subscribers have asked for.', ({ ranges }) => ranges),
  fetch('sent_readings', 'Readings sent again for subscribers.', ({ sent }) => sent),
  fetch(
    'disk_failures',
    'Times that the disk refused what subscribers had asked for.',
    ({ failed }) => failed,
  ),
  gauge(
    'sovereign_fetch_waiting_ranges',
    'Ranges that wait to be sent again.',
    ({ uplink }) => uplink?.fetch?.waiting,
  ),
];
