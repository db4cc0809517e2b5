import { type Defect, type Edit, having } from './defect.js';

const READINGS = 'host/intake/session-readings.ts';
const INTAKE = 'host/intake/intake.ts';
const ACCEPTOR = 'host/intake/acceptor.ts';
const GATE = 'host/intake/gate.ts';
const EVIDENCE = 'host/intake/evidence.ts';
const SDK = 'host/intake/sdk-intake.ts';
const DURABLE = 'what is receipted is durable';
const ONCE = 'a reading stands in the journal once';
const GATES = 'nothing that fails a gate reaches the journal';
const GAPS = 'a missing reading is a reported gap';
const FORKS = 'the evidence of a fork is durable before the device is told to let go';

const verdict = (find: string, replace: string): Edit[] => [
  { file: 'firmware/seal/classify.ts', find, replace },
];

/** The intake: gates, verdicts, receipts, evidence, quarantine. */
export const INTAKE_DEFECTS: readonly Defect[] = [
  {
    name: 'receipt for what is only tentative',
    guarantee: DURABLE,
    edits: [
      {
        file: READINGS,
        find: 'this.#shared.down.receipt(session, session.device.positions.durable);',
        replace: 'this.#shared.down.receipt(session, session.device.positions.tentative);',
      },
    ],
    budget: 100,
  },
  {
    name: 'out-of-order reading receipted as a replay',
    guarantee: DURABLE,
    edits: [
      {
        file: READINGS,
        find: "case 'early': this.repeatReceipt(); return;",
        replace: `case 'early': {
          const { epoch, seq, tagAt } = envelope;
          this.#shared.down.receipt(session, { epoch, seq, tag8: bytes.slice(tagAt, tagAt + 8) });
          return;
        }`,
      },
    ],
    budget: 50,
  },
  {
    name: 'early reading stored',
    guarantee: 'readings are accepted in order',
    edits: verdict("held: 'early', unsaid: 'early' }", "held: 'gap', unsaid: 'gap' }"),
    budget: 50,
  },
  {
    name: 'replay journalled twice',
    guarantee: ONCE,
    edits: verdict("same: 'replay'", "same: 'next'"),
    budget: 50,
  },
  {
    name: 'stale reading taken as the next',
    guarantee: ONCE,
    edits: verdict("none: 'stale'", "none: 'next'"),
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'link to the reading before not checked',
    guarantee: 'a fork does not reach the journal',
    edits: verdict("differs: 'fork'", "differs: 'next'"),
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'MAC of readings not checked in an epoch’s first one',
    guarantee: GATES,
    edits: [{ file: GATE, find: "if (!envelope.verify(mac)) return 'mac';", replace: '' }],
    where: having('attack-link-forge'),
    budget: 100,
  },
  {
    name: 'MAC of readings not checked in a session',
    guarantee: GATES,
    edits: [
      { file: GATE, find: "return envelope.verify(familiar.sealMac) ? '' : 'mac';", replace: "return '';" },
    ],
    where: having('attack-link-forge'),
    budget: 300,
  },
  {
    name: 'session replaced by an unauthenticated hello',
    guarantee: 'only an authentic hello opens a session',
    edits: [{ file: GATE, find: "if (!message.verify(mac)) return 'mac';", replace: '' }],
    where: having('attack-link-forge'),
    budget: 300,
  },
  {
    name: 'recorded hello opens a session',
    guarantee: 'only an answer to the link’s own challenge opens a session',
    edits: [
      {
        file: 'host/intake/link-session.ts',
        find: 'if (!repeated && !this.#nonces.mayOpen(',
        replace: 'if (repeated && !this.#nonces.mayOpen(',
      },
    ],
    where: having('attack-link-replay'),
    budget: 300,
  },
  {
    name: 'MAC of sovereign-sdk frames not checked',
    guarantee: GATES,
    edits: [
      { file: SDK, find: 'if (!reader.verify(this.#mac(entry, entry.sdk.key)))', replace: 'if (false)' },
    ],
    where: scenario => scenario.sdk.length > 0 && having('attack-link-forge')(scenario),
    budget: 300,
  },
  {
    name: 'sovereign-sdk replay journalled twice',
    guarantee: ONCE,
    edits: [{ file: SDK, find: "return 'replay';", replace: "return 'next';" }],
    where: scenario => scenario.sdk.length > 0 && having('attack-link-replay')(scenario),
    budget: 300,
  },
  {
    name: 'gap between sovereign-sdk frames not journalled',
    guarantee: GAPS,
    edits: [{ file: SDK, find: 'if (sequence > expected) {', replace: 'if (sequence < 0) {' }],
    where: scenario => scenario.sdk.length > 0 && having('link-corrupt', 'link-drop', 'link-cut')(scenario),
    budget: 300,
  },
  {
    name: 'gap not journalled',
    guarantee: GAPS,
    edits: [
      {
        file: ACCEPTOR,
        find: "if (missing !== undefined && !this.gap(device, link, missing)) return 'busy';",
        replace: '',
      },
    ],
    budget: 50,
  },
  {
    name: 'reading that a busy journal refuses counts as taken',
    guarantee: 'readings follow each other in the journal without holes',
    edits: [
      {
        file: ACCEPTOR,
        find: 'return this.#journal.append(entry);',
        replace: 'this.#journal.append(entry); return true;',
      },
    ],
    where: having('disk-hang', 'disk-outage', 'disk-full'),
    budget: 300,
  },
  {
    name: 'positions forgotten at a restart',
    guarantee: ONCE,
    edits: [
      {
        file: INTAKE,
        find: 'positions.restore(recent.get(id) ?? [], { epoch, seq, tag8, final });',
        replace: '',
      },
    ],
    budget: 50,
  },
  {
    name: 'recovered tail receipted before it is durable',
    guarantee: DURABLE,
    edits: [
      {
        file: INTAKE,
        find: "positions.appended(entry.epoch, entry.seq, Buffer.from(entry.tag8, 'hex'), 0, entry.final);",
        replace: `positions.appended(entry.epoch, entry.seq, Buffer.from(entry.tag8, 'hex'), 0, entry.final);
          positions.synced(entry.epoch, entry.seq, entry.tag8, -1);`,
      },
    ],
    where: scenario =>
      having('disk-full', 'disk-outage')(scenario) &&
      having('gateway-kill-effect', 'gateway-power-cut')(scenario),
    budget: 1000,
  },
  {
    name: 'fork evidence not durable before the refusal',
    guarantee: FORKS,
    edits: [
      {
        file: READINGS,
        find: 'const outcome = await acceptor.contradiction(device, verdict, session.linkName, epoch, seq, copy, tag8);',
        replace: `acceptor.contradiction(device, verdict, session.linkName, epoch, seq, copy, tag8);
          const outcome = 'stored';`,
      },
    ],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'fork evidence not synced',
    guarantee: FORKS,
    edits: [{ file: EVIDENCE, find: 'await file.sync();', replace: '' }],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'name of fork evidence not synced',
    guarantee: FORKS,
    edits: [
      {
        file: EVIDENCE,
        find: 'await this.#storage.syncDirectory(directory); } catch',
        replace: '} catch',
      },
    ],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    // Two bounds: what is taken in by reason, device and day, and how many files there are.
    name: 'quarantine unbounded',
    guarantee: 'the quarantine stays within its quotas',
    edits: [
      {
        file: 'host/intake/quarantine.ts',
        find: "if (obstacle !== '') {",
        replace: "if (obstacle === 'disk') {",
      },
      {
        file: 'host/intake/quarantine.ts',
        find: 'async #makeRoom() {',
        replace: 'async #makeRoom() { if (this !== undefined) return;',
      },
    ],
    where: having('attack-link-forge', 'attack-link-flood'),
    budget: 300,
  },
  {
    name: 'unsynchronised gateway gives the time',
    guarantee: 'a time that is sealed is right',
    edits: [
      {
        file: 'host/intake/link-session.ts',
        find: 'if (clock.synchronised === false) {',
        replace: 'if (clock.synchronised === 0) {',
      },
    ],
    where: having('clock-unsynchronised'),
    budget: 300,
  },
  {
    name: 'wall clock that runs backwards stops the challenges',
    guarantee: 'what is held is delivered once faults stop',
    edits: [
      {
        file: 'host/intake/link-session.ts',
        find: 'const now = this.#shared.clock.monotonic(); if (this.#closed || now - this.#challengedMs',
        replace: 'const now = this.#shared.clock.now(); if (this.#closed || now - this.#challengedMs',
      },
    ],
    where: having('clock-jump'),
    budget: 500,
  },
];
