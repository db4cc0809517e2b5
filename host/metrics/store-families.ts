/** What lies on the disk: journal, quarantine, evidence. */
import { counter, counters, type Family, flag, gauge, seconds } from './family.js';

const YEAR_SECONDS = 365.25 * 86_400;

export const STORES: readonly Family[] = [
  gauge(
    'sovereign_journal_stalled',
    '1 while the journal can store nothing: devices get no receipts and keep their readings.',
    status => flag(status.journal.state === 'stalled'),
  ),
  gauge(
    'sovereign_journal_oldest_offset',
    'The oldest offset that the journal holds.',
    status => status.journal.oldestOffset,
  ),
  gauge(
    'sovereign_journal_durable_offset',
    'One more than the last durable offset.',
    status => status.journal.durableOffset,
  ),
  gauge(
    'sovereign_journal_entries',
    'Readings and gaps that the journal holds, as far as offsets tell.',
    status => status.journal.entries,
  ),
  gauge('sovereign_journal_bytes', 'Size of the journal on the disk.', status => status.journal.bytes),
  gauge(
    'sovereign_journal_oldest_timestamp_seconds',
    'Unix time at which the oldest file of the journal began.',
    status => seconds(status.journal.oldestAt),
  ),
  gauge('sovereign_journal_segments', 'Files of the journal.', status => status.journal.segments),
  gauge(
    'sovereign_journal_pending_bytes',
    'Bytes that wait for the disk.',
    status => status.journal.pendingBytes,
  ),
  gauge(
    'sovereign_disk_available_bytes',
    'Free bytes of the file system that holds the data.',
    status => status.journal.availableBytes,
  ),
  {
    name: 'sovereign_disk_written_bytes_total',
    help: 'Bytes written to the disk since the gateway began, as the kernel counts them: by all on the machine (device) or by the gateway (process).',
    type: 'counter',
    labels: ['source'],
    samples: ({ journal: { writes } }) =>
      writes === undefined ? [] : [{ labels: { source: writes.source }, value: writes.bytes }],
  },
  gauge(
    'sovereign_disk_life_seconds',
    'How long the disk lasts at this rate of writing, by journal.enduranceBytes.',
    ({ journal: { writes } }) => writes?.years && writes.years * YEAR_SECONDS,
  ),
  gauge('sovereign_quarantine_bytes', 'Bytes kept in quarantine.', status => status.quarantine.bytes),
  counter(
    'sovereign_quarantine_kept_total',
    'What was put into quarantine since the gateway began.',
    status => status.quarantine.kept,
  ),
  counters(
    'sovereign_quarantine_dropped_total',
    'What was refused and not kept, by the limit that stood in the way.',
    'limit',
    status => status.quarantine.dropped,
  ),
  counters(
    'sovereign_refused_total',
    'What was refused since the gateway began, kept or not, by reason.',
    'reason',
    status => status.quarantine.reasons,
  ),
  gauge(
    'sovereign_fork_evidence_pairs',
    'Forks kept as evidence: two different readings of one device with one number, a sign of a cloned device.',
    status => status.quarantine.evidence,
  ),
];
