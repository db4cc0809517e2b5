import { type Defect, having } from './defect.js';
import { missing } from './defects-fetch.js';

const INBOX = 'host/subscriber/inbox.ts';
const HISTORY = 'host/subscriber/history.ts';
const STATE = 'host/subscriber/state-file.ts';
const ONCE = 'a subscriber prints each reading once while its state lives';
const GAPS = 'a missing reading is a reported gap';

/** The subscriber: from the broker to the output. */
export const SUBSCRIBER_DEFECTS: readonly Defect[] = [
  {
    name: 'PUBACK before the state is durable',
    guarantee: ONCE,
    edits: [
      {
        file: INBOX,
        find: 'await handler.commit(); }',
        replace: 'for (let i = 0; i < done; i++) batch[i].resolve(); await handler.commit(); }',
      },
    ],
    where: having('subscriber-kill-effect', 'subscriber-power-cut', 'subscriber-kill'),
    budget: 300,
  },
  {
    name: 'PUBACK before the output',
    guarantee: 'what is acknowledged was printed',
    edits: [
      {
        file: INBOX,
        find: 'try { await handler.flush(); }',
        replace: 'try { for (let i = 0; i < done; i++) batch[i].resolve(); await handler.flush(); }',
      },
    ],
    budget: 300,
  },
  {
    name: 'PUBACK although the state can’t be written',
    guarantee: ONCE,
    edits: [
      {
        file: INBOX,
        find: 'for (const { reject } of batch) reject(',
        replace: 'for (const { resolve } of batch) resolve(',
      },
    ],
    where: scenario =>
      having('disk-eio-sync', 'disk-eio-write', 'disk-outage')(scenario) &&
      having('subscriber-kill-effect', 'subscriber-power-cut', 'subscriber-kill')(scenario),
    budget: 300,
  },
  {
    name: 'duplicate not dropped after a restart',
    guarantee: ONCE,
    edits: [
      {
        file: STATE,
        find: 'for (const line of lines) if (!model.apply(line)) wrong++;',
        replace: '',
      },
    ],
    budget: 100,
  },
  {
    name: 'state not synced',
    guarantee: ONCE,
    edits: [
      {
        file: STATE,
        find: 'await writeAll(this.#file, bytes, this.#position); await this.#file.sync();',
        replace: 'await writeAll(this.#file, bytes, this.#position);',
      },
    ],
    budget: 300,
  },
  {
    name: 'new state not synced before the old one goes',
    guarantee: ONCE,
    edits: [
      { file: STATE, find: 'await file.sync(); await storage.syncDirectory(this.#directory);', replace: '' },
    ],
    budget: 300,
  },
  {
    name: 'ranges of readings joined over a hole',
    guarantee: GAPS,
    edits: [
      {
        file: 'host/subscriber/intervals.ts',
        find: 'const joinsBelow = i >= 0 && this.#to[i] === value;',
        replace: 'const joinsBelow = i >= 0 && this.#to[i] >= value - 1;',
      },
    ],
    budget: 300,
  },
  {
    name: 'gap not reported',
    guarantee: GAPS,
    edits: [
      {
        file: HISTORY,
        find: 'this.#miss(device, { device: id, ...missing });',
        replace: ';',
      },
    ],
    budget: 300,
  },
  {
    // Whatever a journal still holds is asked for again: that is taken out, too.
    name: 'held envelope lost at a restart (and never asked for)',
    guarantee: 'what is acknowledged is printed, or held until its device is known',
    edits: [
      {
        file: 'host/subscriber/memory.ts',
        find: 'const { added, dropped } = this.held.add(device, site, Uint8Array.from(bytes)); this.#lines.push(',
        replace: 'const { added, dropped } = this.held.add(device, site, Uint8Array.from(bytes)); [].push(',
      },
      {
        file: 'host/subscriber/repair/repair.ts',
        find: 'if (ranges.length === 0) return Math.min(',
        replace: 'return Math.min(',
      },
    ],
    where: scenario => having('subscriber-keyring-late')(scenario) && !missing(scenario),
    budget: 500,
  },
  {
    name: 'MAC not checked by the subscriber',
    guarantee: 'nothing forged is printed',
    edits: [
      {
        file: 'host/subscriber/open.ts',
        find: 'if (!envelope.verify(mac))',
        replace: 'if (mac === undefined)',
      },
    ],
    where: having('attack-broker-forge'),
    budget: 300,
  },
];
