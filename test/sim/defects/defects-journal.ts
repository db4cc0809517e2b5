import type { Defect } from './defect.js';

const WRITER = 'host/journal/writer.ts';
const RECOVERY = 'host/journal/recovery.ts';
const LINES = 'host/journal/line-writer.ts';
const DURABLE = 'what is receipted is durable';

/** The journal: what is written, synced, found again and let go. */
export const JOURNAL_DEFECTS: readonly Defect[] = [
  {
    name: 'receipt before sync',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: 'batch.buffer.subarray(0, batch.length)); await segment.file.sync();',
        replace: 'batch.buffer.subarray(0, batch.length)); segment.file.sync().catch(() => undefined);',
      },
    ],
    budget: 50,
  },
  {
    name: 'receipt while the disk is still at work',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: 'const committed = this.#commit(batch);',
        replace: 'const committed = this.#commit(batch); this.#events.announce(batch.entries);',
      },
    ],
    budget: 50,
  },
  {
    name: 'sync error swallowed',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: 'batch.buffer.subarray(0, batch.length)); await segment.file.sync();',
        replace: 'batch.buffer.subarray(0, batch.length)); await segment.file.sync().catch(() => undefined);',
      },
    ],
    budget: 200,
  },
  {
    name: 'failed sync retried on the same file',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: 'batch.buffer.subarray(0, batch.length)); await segment.file.sync();',
        replace:
          'batch.buffer.subarray(0, batch.length)); await segment.file.sync().catch(() => segment.file.sync());',
      },
    ],
    budget: 200,
  },
  {
    name: 'short write ignored',
    guarantee: DURABLE,
    edits: [{ file: WRITER, find: 'if (written !== bytes.length) {', replace: 'if (written === 0) {' }],
    budget: 200,
  },
  {
    name: 'full disk leads to receipts',
    guarantee: 'a gateway that can’t store gives no receipts',
    edits: [
      {
        file: WRITER,
        find: 'const written = await segment.file.write(bytes, segment.length);',
        replace: `const written = await segment.file.write(bytes, segment.length).catch(error => {
          if (error.code === 'ENOSPC') return bytes.length;
          throw error;
        });`,
      },
    ],
    budget: 200,
  },
  {
    name: 'new segment’s name not synced',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: 'if (batch.begins > 0) await this.#storage.syncDirectory(this.#options.directory);',
        replace: '',
      },
    ],
    budget: 100,
  },
  {
    name: 'batch dropped with its failed segment',
    guarantee: 'readings follow each other in the journal without holes',
    edits: [
      {
        file: WRITER,
        find: 'const batches = this.#queue; this.#queue = [];',
        replace: 'const batches = this.#queue.slice(1); this.#queue = [];',
      },
    ],
    budget: 200,
  },
  {
    name: 'what was read back counts as durable',
    guarantee: DURABLE,
    edits: [
      {
        file: RECOVERY,
        find: 'if (proven) pass.synced = Math.max(',
        replace: `pass.synced = Math.max(pass.synced, scanner.position);
          settle(pass.synced, ends, into, pass);
          if (proven) pass.synced = Math.max(`,
      },
    ],
    budget: 300,
    within: 'journal',
  },
  {
    name: 'opened segment appended to',
    guarantee: DURABLE,
    edits: [
      {
        file: WRITER,
        find: "const file = await this.#storage.open(path, 'create');",
        replace: `if (this.#previous && !this.appends) {
            this.appends = true;
            const again = directory + '/' + segmentName(this.#previous.first);
            const old = await this.#storage.open(again, 'update');
            this.#segment = {
              first: this.#previous.first, file: old, path: again,
              length: await old.size(), synced: this.#previous.bytes, last: this.#previous.last,
            };
            return;
          }
          this.appends = true;
          const file = await this.#storage.open(path, 'create');`,
      },
      {
        file: 'host/journal/journal.ts',
        find: 'this.#segments.push(...leftOver, first);',
        replace: 'if (!this.#segments.includes(first)) this.#segments.push(...leftOver, first);',
      },
    ],
    budget: 300,
    within: 'journal',
  },
  {
    name: 'offset used twice after a lost tail',
    guarantee: 'offsets are never reused',
    edits: [
      {
        file: RECOVERY,
        find: 'recovered.nextOffset = highest + 1;',
        replace: 'recovered.nextOffset = last + 1;',
      },
    ],
    budget: 300,
    within: 'journal',
  },
  {
    name: 'reading behind a hole in a never-synced tail taken up',
    guarantee: 'a receipt covers everything before it',
    edits: [
      {
        file: RECOVERY,
        find: 'if (hole !== undefined) pass.tail.length = ends.filter(end => end <= hole).length;',
        replace: '',
      },
    ],
    budget: 1000,
    within: 'journal',
  },
  {
    name: 'torn tail not cut',
    guarantee: 'what is published is durable',
    edits: [
      {
        file: RECOVERY,
        find: 'into.bounds.set(first, pass.synced);',
        replace: 'into.bounds.set(first, size);',
      },
    ],
    budget: 300,
    within: 'journal',
  },
  {
    name: 'durable tail without a mark given up',
    guarantee: DURABLE,
    edits: [{ file: RECOVERY, find: 'recovered.tail = recovered.tail.concat(pass.tail);', replace: '' }],
    budget: 100,
  },
  {
    name: 'torn copy of a tail trusted',
    guarantee: DURABLE,
    edits: [
      {
        file: RECOVERY,
        find: 'return pass.complete && pass.synced > 0;',
        replace: 'return pass.complete;',
      },
    ],
    budget: 1000,
    within: 'journal',
  },
  {
    name: 'header’s snapshot behind',
    guarantee: 'a reopened journal knows where each device stands',
    edits: [{ file: LINES, find: 'p.seq', replace: 'Math.max(0, p.seq - 1)' }],
    budget: 100,
  },
  {
    name: 'header’s snapshot empty',
    guarantee: 'a reopened journal knows where each device stands',
    edits: [
      { file: LINES, find: 'positions.size', replace: '0' },
      { file: LINES, find: 'of positions)', replace: 'of [])' },
    ],
    budget: 100,
    within: 'journal',
  },
  {
    name: 'header says too little of the segment before',
    guarantee: 'nothing is journalled twice',
    // Too few bytes alone cost nothing: the last offset still says what was synced.
    edits: [
      {
        file: WRITER,
        find: '{ first, last, bytes: synced }',
        replace: '{ first, last: last - 1, bytes: synced - MARK_BYTES }',
      },
    ],
    budget: 300,
    within: 'journal',
  },
  {
    name: 'checksum of journal lines not checked',
    guarantee: 'what the medium altered is not passed off as a reading',
    edits: [
      {
        file: 'host/journal/line-reader.ts',
        find: 'return crc32(bytes.subarray(from, at)) >>> 0 === claimed >>> 0;',
        replace: 'return claimed !== undefined;',
      },
    ],
    budget: 500,
  },
  {
    name: 'retention past the cursor',
    guarantee: 'everything receipted is published',
    edits: [
      {
        file: 'host/journal/retention.ts',
        find: 'for (const cursor of cursors) if (cursor.offset < next) return removed;',
        replace: '',
      },
    ],
    budget: 300,
    within: 'journal',
  },
];
