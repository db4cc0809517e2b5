import { type Defect, having } from './defect.js';

const PUBLISHER = 'host/uplink/publisher.ts';
const CURSOR = 'host/journal/cursor.ts';
const PUBLISHED = 'everything receipted is published';

/** Cursor and uplink: from the journal to the broker. */
export const UPLINK_DEFECTS: readonly Defect[] = [
  {
    name: 'cursor ahead of PUBACK',
    guarantee: PUBLISHED,
    edits: [
      {
        file: 'host/uplink/window.ts',
        find: 'this.#slots.push(slot);',
        replace: 'this.#slots.push(slot); this.#cursor = offset + 1;',
      },
    ],
    budget: 50,
  },
  {
    name: 'refused publish counts as acknowledged',
    guarantee: PUBLISHED,
    edits: [
      {
        file: PUBLISHER,
        find: 'this.#events.failed(refused(message.topic, error)); return; } const readings',
        replace: '} const readings',
      },
    ],
    where: having('broker-refuse-publish'),
    budget: 200,
  },
  {
    name: 'connection resumed one entry late',
    guarantee: PUBLISHED,
    edits: [
      {
        file: PUBLISHER,
        find: 'from => this.#read(from)',
        replace: 'from => this.#read(from + 1)',
      },
    ],
    budget: 50,
  },
  {
    name: 'range of the cursor joined over what was not passed',
    guarantee: PUBLISHED,
    edits: [
      {
        file: 'host/uplink/place.ts',
        find: 'if (from <= base)',
        replace: 'if (from <= base + 20)',
      },
    ],
    where: having('gateway-kill', 'gateway-kill-effect', 'gateway-power-cut'),
    budget: 200,
  },
  {
    name: 'both cursor slots in one file',
    guarantee: 'a saved cursor survives a power cut',
    edits: [{ file: CURSOR, find: 'this.#turn = turn === 0 ? 1 : 0;', replace: '' }],
    budget: 300,
    within: 'journal',
  },
];
