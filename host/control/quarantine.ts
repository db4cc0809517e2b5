/** The calls about what the gates have refused. */
import { EnvelopeReader, toHex } from '../../firmware/seal/index.js';
import { Fault } from '../fault.js';
import type { Quarantine } from '../intake/quarantine.js';
import type { Quarantined } from '../intake/quarantine-lines.js';
import type { Reconsidering } from '../intake/reconsidering.js';
import { isEnvelope } from '../journal/payload.js';
import type { KeyringView } from '../keyring/entry.js';
import type { CallHandlers, QuarantineDetail, QuarantineItem } from './calls.js';

const DEFAULT_LIMIT = 20;
/** Stands in the journal before the link that it came over. */
const LINK_PREFIX = 'quarantine:';

export interface QuarantineCallParts {
  readonly quarantine: Quarantine;
  readonly reconsidering: Reconsidering;
  readonly keyring: KeyringView;
}

export function quarantineCalls(
  parts: QuarantineCallParts,
): Pick<CallHandlers, 'quarantine-list' | 'quarantine-show' | 'quarantine-release'> {
  const { quarantine, reconsidering, keyring } = parts;
  const find = async (id: string): Promise<Quarantined> => {
    const found = await (await quarantine.lines()).find(id);
    if (found !== undefined) return found;
    throw new Fault(
      'quarantine-unknown',
      `the quarantine holds nothing with the id ${id}`,
      'sovereign quarantine list names what it holds; the oldest go when there are too many',
    );
  };
  return {
    async 'quarantine-list'({ limit = DEFAULT_LIMIT, after = '', reason = '' }) {
      const { items, more } = await (await quarantine.lines()).list(limit, after, reason);
      return { items: items.map(item => summary(item, keyring)), more };
    },
    async 'quarantine-show'({ id }) {
      const found = await find(id);
      return detail(found, summary(found, keyring), reconsidering.judge(found.bytes));
    },
    async 'quarantine-release'({ id }) {
      const { bytes, link } = await find(id);
      return { id, ...(await reconsidering.take(bytes, LINK_PREFIX + link)) };
    },
  };
}

function summary(item: Quarantined, keyring: KeyringView): QuarantineItem {
  const { bytes, ...rest } = item;
  const name = item.device === undefined ? undefined : keyring.get(item.device)?.name;
  return { ...rest, ...(name !== undefined && { name }), bytes: bytes.length };
}

function detail({ bytes }: Quarantined, item: QuarantineItem, now: string): QuarantineDetail {
  const envelope = new EnvelopeReader();
  const hex = Buffer.from(bytes).toString('hex');
  if (!isEnvelope(bytes) || envelope.parse(bytes, 0, bytes.length) !== '') return { ...item, hex, now };
  const { epoch, seq, idAt } = envelope;
  return { ...item, hex, claims: { device: toHex(bytes, idAt, idAt + 8), epoch, seq }, now };
}
