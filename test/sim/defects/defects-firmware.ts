import { type Defect, having } from './defect.js';

const DEVICE = 'firmware/device.ts';
const RETAINED = 'firmware/retained.ts';
const SESSION = 'firmware/session.ts';
const TIME = 'firmware/time-sync.ts';
const EPOCHS = 'firmware/epochs.ts';
const SLOTS = 'firmware/store/slots.ts';
const KEPT = 'a device keeps a reading until it is receipted, or counts it as lost';
const EPOCH = 'no epoch is used twice';
const RIGHT_TIME = 'a time that is sealed is right';
const DELIVERED = 'what is held is delivered once faults stop';

/** The device: keys, backlog, session, time. */
export const FIRMWARE_DEFECTS: readonly Defect[] = [
  {
    name: 'next epoch’s key not stored',
    guarantee: EPOCH,
    edits: [{ file: EPOCHS, find: 'this.#slots.store(this.#taken + 1, next)', replace: "''" }],
    budget: 50,
  },
  {
    // A slot that a failed write has torn says that its epoch may have been used, if the device went on: the rule
    // that it does not go on would hide that the slot is not burnt, and the other way round.
    name: 'one valid key slot not burnt (by a device that seals although its flash failed)',
    guarantee: EPOCH,
    edits: [
      {
        file: SLOTS,
        find: 'return this.#held >= 0 && this.#states[1 - this.#held] === DAMAGED;',
        replace: 'return false;',
      },
      {
        file: EPOCHS,
        find: "this.#committed = fault === ''; return fault;",
        replace: "this.#committed = true; return fault === 'flash program failed' ? '' : fault;",
      },
    ],
    where: having('board-flash-fail'),
    budget: 500,
  },
  {
    name: 'epoch reused after a torn key slot',
    guarantee: EPOCH,
    edits: [
      {
        file: EPOCHS,
        find: "this.#committed = fault === ''; return fault;",
        replace: "this.#committed = true; return '';",
      },
    ],
    where: having('board-flash-fail'),
    budget: 500,
  },
  {
    name: 'torn key slot believed',
    guarantee: DELIVERED,
    edits: [
      {
        file: SLOTS,
        find: 'if (readUint(record, CRC_AT, 4) !== this.#crc.compute(record, 0, CRC_AT) >>> 0) return DAMAGED;',
        replace: '',
      },
    ],
    where: having('board-boot-cut', 'board-flash-cut'),
    budget: 500,
  },
  {
    name: 'receipt with another tag accepted',
    guarantee: KEPT,
    edits: [
      {
        file: RETAINED,
        find: 'return equalBytes(buffer, to - TAG_BYTES, bytes, tag8At, SHORT_TAG_BYTES);',
        replace: 'return true;',
      },
    ],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'backlog freed beyond the receipt',
    guarantee: KEPT,
    edits: [
      {
        file: RETAINED,
        find: 'let freed = false; while (backlog.select(0) && before(backlog.epoch, backlog.seq, epoch, seq + 1)) {',
        replace:
          'let freed = false; while (backlog.select(0) && before(backlog.epoch, backlog.seq, epoch, seq + 2)) {',
      },
    ],
    budget: 20,
  },
  {
    name: 'hello names the wrong oldest reading',
    guarantee: 'a gap that is journalled is true',
    edits: [
      {
        file: DEVICE,
        find: '{ epoch: backlog.epoch, seq: backlog.seq }',
        replace: '{ epoch: backlog.epoch, seq: backlog.seq + 1 }',
      },
    ],
    budget: 50,
  },
  {
    name: 'refusal drops another reading',
    guarantee: KEPT,
    edits: [
      {
        file: RETAINED,
        find: 'if (index === 0) this.#lose();',
        replace: `if (index === 0 && this.#backlog.select(1)) {
          this.#backlog.remove(1);
          this.#count(epoch, seq, seq);
        } else if (index === 0) this.#lose();`,
      },
    ],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    name: 'advance ignored',
    guarantee: DELIVERED,
    edits: [
      { file: DEVICE, find: 'this.rotation.advance(message.epoch);', replace: '' },
      { file: DEVICE, find: 'if (ahead) this.rotation.advance(epoch + 1);', replace: '' },
    ],
    where: having('board-clone', 'board-restore'),
    budget: 300,
  },
  {
    // Three defences: the counter of the session, the nonce of the request, and that there is a request at all.
    name: 'recorded answer about the time believed',
    guarantee: RIGHT_TIME,
    edits: [
      {
        file: SESSION,
        find: 'if (reader.counter <= session.counter) {',
        replace: 'if (reader.counter < 0) {',
      },
      {
        file: TIME,
        find: 'if (askedMs < 0 || !equalBytes(bytes, at, this.nonce, 0, REQUEST_NONCE_BYTES))',
        replace: 'if (at < 0)',
      },
      { file: TIME, find: 'const tookMs = nowMs - askedMs;', replace: 'const tookMs = 0;' },
    ],
    where: having('attack-link-replay'),
    budget: 500,
  },
  {
    name: 'late answer about the time believed',
    guarantee: RIGHT_TIME,
    edits: [{ file: TIME, find: 'tookMs > this.#answerMs ||', replace: '' }],
    where: having('link-delay', 'link-stall'),
    budget: 300,
  },
  {
    name: 'loss not named after an overflow',
    guarantee: 'what a device has lost, it says',
    edits: [{ file: 'firmware/losses.ts', find: 'return !this.#named;', replace: 'return false;' }],
    budget: 300,
  },
  {
    name: 'overflow not counted',
    guarantee: KEPT,
    edits: [
      {
        file: RETAINED,
        find: "throw new Error('backlog: too small for one envelope'); this.#lose();",
        replace: "throw new Error('backlog: too small for one envelope'); this.#leave(-1, -1);",
      },
    ],
    where: having('gateway-away'),
    budget: 100,
  },
  {
    name: 'torn entry of the flash ring served',
    guarantee: DELIVERED,
    edits: [
      {
        file: 'firmware/store/flash-ring.ts',
        find: 'this.#format.checksum(this.buffer, this.from, this.to) !== crc ||',
        replace: '',
      },
    ],
    where: having('board-boot-cut', 'board-flash-cut'),
    budget: 500,
  },
  {
    name: 'flash ring not read at a boot',
    guarantee: 'what is in a device’s flash outlives its power',
    edits: [
      {
        file: 'firmware/store/flash-ring.ts',
        find: 'this.buffer = new Uint8Array(maxEnvelopeBytes); this.#open();',
        replace: 'this.buffer = new Uint8Array(maxEnvelopeBytes);',
      },
    ],
    budget: 100,
  },
  {
    name: 'next epoch sent before the last one is receipted',
    guarantee: 'a gap that is journalled is true',
    edits: [{ file: 'firmware/sender.ts', find: 'if (backlog.epoch !== epoch) break;', replace: '' }],
    budget: 300,
  },
  {
    name: 'readings sent once only',
    guarantee: DELIVERED,
    edits: [
      {
        file: 'firmware/sender.ts',
        find: 'if (this.#inFlight > 0 && nowMs >= this.#deadlineMs) {',
        replace: 'if (this.#inFlight > 0 && nowMs < 0) {',
      },
    ],
    budget: 300,
  },
];
