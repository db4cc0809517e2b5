import { type Defect, having } from './defect.js';

const FETCHER = 'host/uplink/fetch/fetcher.ts';
const REPAIR = 'host/subscriber/repair/repair.ts';
const CLOSES = 'what a journal still holds arrives';
const FINAL = 'a gap is final only when the gateway does not hold it';

/** Something is missing at a subscriber that the journal holds. */
export const missing = having(
  'broker-amnesia',
  'broker-drop-absent',
  'broker-forget',
  'broker-half-session',
  'subscriber-forget',
);

/** Repair by fetch, on both sides. */
export const FETCH_DEFECTS: readonly Defect[] = [
  {
    name: 'fetch answered from the wrong place on',
    guarantee: CLOSES,
    edits: [
      {
        file: 'host/uplink/fetch/job.ts',
        find: 'this.next = range.from;',
        replace: 'this.next = [range.from[0], range.from[1] + 1];',
      },
    ],
    where: missing,
    budget: 100,
  },
  {
    name: 'fetch looks into a later segment',
    guarantee: CLOSES,
    edits: [
      {
        file: FETCHER,
        find: 'return segments[low];',
        replace: 'return segments[Math.min(low + 1, segments.length - 1)];',
      },
    ],
    where: missing,
    budget: 100,
  },
  {
    name: 'gaps never asked for',
    guarantee: CLOSES,
    edits: [{ file: REPAIR, find: 'if (ranges.length === 0) return Math.min(', replace: 'return Math.min(' }],
    where: missing,
    budget: 100,
  },
  {
    name: 'tail never asked for',
    guarantee: CLOSES,
    edits: [
      {
        file: REPAIR,
        find: 'ranges.push({ device, from, to: undefined });',
        replace: 'void [device, from];',
      },
    ],
    where: scenario => !scenario.lively && missing(scenario),
    budget: 100,
  },
  {
    name: 'what the disk refuses for now called lost',
    guarantee: FINAL,
    edits: [
      {
        file: 'host/subscriber/repair/answers.ts',
        find: "if (part.why === 'unread' && asked.tries < UNREAD_TRIES) continue;",
        replace: '',
      },
    ],
    where: scenario => missing(scenario) && having('disk-eio-read', 'disk-emfile')(scenario),
    budget: 300,
  },
];
