import { FIRST_OPERATED_SEED } from '../scenario.js';
import { type Defect, having } from './defect.js';

const PUBLISHED = 'everything receipted is published';
const HANDOVER = 'host/journal/handover.ts';
const LOST = { from: FIRST_OPERATED_SEED, where: having('gateway-lost'), budget: 30 };

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
  {
    name: 'restored journal begins at the old next offset',
    guarantee: 'an offset names one entry, whichever gateway gave it',
    edits: [
      { file: HANDOVER, find: 'const first = nextEra(nextOffset);', replace: 'const first = nextOffset;' },
    ],
    ...LOST,
  },
  {
    name: 'positions not restored',
    guarantee: 'nothing from before the backup is accepted again',
    edits: [
      { file: HANDOVER, find: '}, positions, first, previous);', replace: '}, new Map(), first, previous);' },
    ],
    ...LOST,
  },
  {
    name: 'cursor restored ahead of what was not published',
    guarantee: PUBLISHED,
    edits: [
      {
        file: 'host/backup/restore.ts',
        find: 'if (!kept || passed >= old.durableOffset)',
        replace: 'if (true)',
      },
    ],
    ...LOST,
    where: scenario =>
      LOST.where(scenario) && having('operator-pause', 'broker-vanish', 'broker-stall')(scenario),
    budget: 100,
  },
  {
    name: 'epochs of sovereign-sdk go on after a restore',
    guarantee: 'a place names one reading, whichever gateway took it',
    edits: [{ file: 'host/intake/sdk-intake.ts', find: 'if (era === 0) return 0;', replace: 'return 0;' }],
    ...LOST,
    where: scenario =>
      LOST.where(scenario) &&
      scenario.rates['board-power-cut'] !== undefined &&
      scenario.sdk.some(({ allowReset }) => allowReset),
    budget: 100,
  },
  {
    name: 'subscriber waits for the replaced gateway for ever',
    guarantee: 'what is lost with a gateway is told',
    edits: [
      {
        file: 'host/subscriber/repair/watch.ts',
        find: 'if (!isReplaced(gateway)) return false;',
        replace: 'return false;',
      },
    ],
    ...LOST,
  },
  {
    name: 'restored gateway does not say whom it goes on for',
    guarantee: 'what is lost with a gateway is told',
    edits: [
      {
        file: 'host/gateway.ts',
        find: '...(this.#handover && { replaces: this.#handover.status.replaces }),',
        replace: '',
      },
    ],
    ...LOST,
  },
];
