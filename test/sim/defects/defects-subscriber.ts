import { type Defect, having } from './defect.js';

const SUBSCRIBER = 'host/subscriber/subscriber.ts';
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
        file: SUBSCRIBER,
        find: 'await this.#state.commit(); }',
        replace: 'for (let i = 0; i < done; i++) batch[i].resolve(); await this.#state.commit(); }',
      },
    ],
    budget: 300,
  },
  {
    name: 'PUBACK before the output',
    guarantee: 'what is acknowledged was printed',
    edits: [
      {
        file: SUBSCRIBER,
        find: 'try { await this.#ports.sink.flush(); }',
        replace: 'try { for (let i = 0; i < done; i++) batch[i].resolve(); await this.#ports.sink.flush(); }',
      },
    ],
    budget: 300,
  },
  {
    name: 'PUBACK although the state can’t be written',
    guarantee: ONCE,
    edits: [
      {
        file: SUBSCRIBER,
        find: 'for (const { reject } of batch) reject(',
        replace: 'for (const { resolve } of batch) resolve(',
      },
    ],
    where: having('disk-eio-sync', 'disk-eio-write', 'disk-enospc', 'disk-outage'),
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
        find: 'if (missing === undefined) return;',
        replace: 'return;',
      },
    ],
    budget: 300,
  },
  {
    name: 'held envelope lost at a restart',
    guarantee: 'what is acknowledged is printed, or held until its device is known',
    edits: [
      {
        file: 'host/subscriber/memory.ts',
        find: 'const { added, dropped } = this.held.add(device, site, Uint8Array.from(bytes)); this.#lines.push(',
        replace: 'const { added, dropped } = this.held.add(device, site, Uint8Array.from(bytes)); [].push(',
      },
    ],
    where: having('subscriber-keyring-late'),
    budget: 500,
  },
  {
    name: 'MAC not checked by the subscriber',
    guarantee: 'nothing forged is printed',
    edits: [
      {
        file: 'host/subscriber/open.ts',
        find: "if (!envelope.verify(mac)) return refuse('mac');",
        replace: '',
      },
    ],
    where: having('attack-broker-forge'),
    budget: 300,
  },
];
