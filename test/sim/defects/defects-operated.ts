import { FIRST_OPERATED_SEED } from '../scenario.js';
import { type Defect, having } from './defect.js';

const PUBLISHED = 'everything receipted is published';

/** What operators do, and what only their seeds show. */
export const OPERATED_DEFECTS: readonly Defect[] = [
  {
    name: 'paused uplink passes what it was paused on',
    guarantee: PUBLISHED,
    edits: [
      {
        file: 'host/uplink/publisher.ts',
        find: 'else if (this.#ports.flow.paused) waiting = true;',
        replace:
          'else if (this.#ports.flow.paused) { const message = this.#messages.shift(); if (message === undefined) waiting = !this.#take(); else message.parcel.lane.acknowledge(message.parcel.slot); }',
      },
    ],
    from: FIRST_OPERATED_SEED,
    where: having('operator-pause'),
    budget: 30,
  },
  {
    name: 'pause forgotten at a reconnect',
    guarantee: 'a paused gateway publishes nothing until it is resumed or started again',
    edits: [
      {
        file: 'host/uplink/uplink.ts',
        find: 'flow: this.#flow,',
        replace: 'flow: { paused: false, hurried: this.#flow.hurried },',
      },
    ],
    from: FIRST_OPERATED_SEED,
    where: having('operator-pause'),
    budget: 30,
  },
];
