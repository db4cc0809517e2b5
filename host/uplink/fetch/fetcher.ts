/**
 * Answers what subscribers ask for, over one connection: requests die with it, and subscribers ask again.
 *
 * Each step takes one segment: the one that holds the next reading of whoever's turn it is, found by binary search over the
 * snapshots in the segments' headers. It is read once for all ranges that have something in it. Both what is sent and
 * what is read for it have a rate, so that neither a flood of requests nor a long repair costs the readings that come in
 * now more than a share.
 *
 * What has not been acknowledged by the broker yet is not sent here: it comes by itself.
 */
import type { DamageListener, DeviceEntry, DevicePosition, Entry } from '../../journal/entry.js';
import type { Snapshot } from '../../journal/snapshots.js';
import type { Clock, Timer } from '../../ports.js';
import { type Mark, sealedMessage } from '../messages.js';
import type { Place as Passed } from '../place.js';
import { FETCHED_CONTENT_TYPE, fetchedTopic } from '../topics.js';
import type { FetchCounts } from './counts.js';
import { compare, decodeRequest, encodeFetched } from './format.js';
import { after, type Job } from './job.js';
import { Outbox, type Outgoing } from './outbox.js';
import { ReadingRate } from './reading-rate.js';
import { type Answer, Requests } from './requests.js';

/** What is asked of the journal. */
export interface Archive {
  /** First offsets of the segments, ascending; changes as they come and go. */
  readonly segments: readonly number[];
  /** Last durable reading of each device. */
  readonly positions: ReadonlyMap<string, DevicePosition>;
  /** Found at open and waiting to be durable again, while the disk refuses: they are published once they are. */
  readonly recovering: readonly Entry[];
  /** Where devices stood when a segment began; incomplete when it has gone. */
  snapshot(first: number): Promise<Snapshot>;
  reader(
    fromOffset: number,
    options: { damaged: DamageListener },
  ): { next(maxEntries: number): Promise<readonly Entry[]>; close(): Promise<void> };
}

export interface FetcherPorts {
  readonly clock: Clock;
  readonly archive: Archive;
  /** What has been acknowledged by the broker. */
  readonly place: () => Passed;
}

export interface FetcherOptions {
  readonly site: string;
  readonly gateway: string;
  /** Messages a second at most. */
  readonly perSecond: number;
  /** How readings are marked as historical. */
  readonly mark: Mark;
}

const READ_ENTRIES = 256;
/** Messages that wait, for those who are told that there are too many. */
const MAX_OUT = 128;
/** Entries gone through for each message that may be sent. */
const READ_PER_MESSAGE = 20;
/** Results wait so long for others of their request. */
const ANSWER_MS = 1000;

export class Fetcher {
  readonly answers = true;
  readonly #ports: FetcherPorts;
  readonly #options: FetcherOptions;
  readonly #counts: FetchCounts;
  readonly #requests = new Requests();
  readonly #outbox: Outbox;
  readonly #rate: ReadingRate;
  #running = false;
  #stopped = false;
  #answerTimer: Timer | undefined;

  /** @param ready there may be something for `next` */
  constructor(ports: FetcherPorts, options: FetcherOptions, counts: FetchCounts, ready: () => void) {
    this.#ports = ports;
    this.#options = options;
    this.#counts = counts;
    this.#outbox = new Outbox(ports.clock, options.perSecond, ready);
    this.#rate = new ReadingRate(ports.clock, options.perSecond * READ_PER_MESSAGE);
  }

  /** Ranges that wait. */
  get waiting(): number {
    return this.#requests.size;
  }

  /** Takes a request, whatever its bytes are. */
  request(payload: Uint8Array): void {
    if (this.#stopped) return;
    this.#counts.requests++;
    const request = decodeRequest(payload);
    if (typeof request === 'string') {
      this.#counts.refuse(request);
      return;
    }
    const jobs = this.#requests.add(request);
    if (jobs === undefined) {
      this.#counts.refuse('busy');
      if (request.id !== '' && this.#outbox.size < MAX_OUT) this.#tell(request.id, true, [], true);
      return;
    }
    this.#counts.ranges += jobs.length;
    // Most are asked in case something came after: that needs no disk.
    for (const job of jobs) this.#endOf(job);
    if (!this.#running) void this.#run();
  }

  /** The next message, when its time has come. */
  next(): Outgoing | undefined {
    return this.#outbox.next();
  }

  /** The connection is gone, and all requests with it. */
  stop(): void {
    this.#stopped = true;
    this.#answerTimer?.cancel();
    this.#rate.stop();
    this.#outbox.stop();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let job = this.#requests.next(); job !== undefined && !this.#stopped; job = this.#requests.next()) {
      await this.#step(job);
      if (job.over) this.#settle(job);
    }
    this.#running = false;
  }

  async #step(job: Job): Promise<void> {
    if (this.#endOf(job)) return;
    const { segments } = this.#ports.archive;
    const first = await this.#locate(job);
    if (this.#stopped) return;
    if (first === undefined) {
      job.over = true;
      return;
    }
    if (first === segments[0]) {
      const oldest = await this.#snapshot(first);
      const gone = oldest.positions.get(job.device);
      if (gone !== undefined && compare(job.next, [gone.epoch, gone.seq]) <= 0) {
        job.pass(after(gone), 'removed');
        if (job.over || this.#endOf(job)) return;
      }
    }
    await this.#visit(first, job);
  }

  /** Whether the journal has nothing (more) of the range by now. */
  #endOf(job: Job): boolean {
    const last = this.#ports.archive.positions.get(job.device);
    if (last !== undefined && compare(job.next, [last.epoch, last.seq]) <= 0) return false;
    job.finish(this.#rest(job));
    this.#settle(job);
    return true;
  }

  #rest({ device }: Job): 'later' | 'queued' {
    return this.#ports.archive.recovering.some(entry => entry.kind !== 'handover' && entry.device === device)
      ? 'queued'
      : 'later';
  }

  /** The segment with the first reading that the range still lacks, or one before it. */
  async #locate(job: Job): Promise<number | undefined> {
    const segments = this.#ports.archive.segments.filter(first => first >= job.fromSegment);
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const snapshot = await this.#snapshot(segments[middle]);
      const position = snapshot.positions.get(job.device);
      const before = position
        ? compare([position.epoch, position.seq], job.next) < 0
        : // Nobody knows: it may be any of those before.
          snapshot.complete;
      if (before) low = middle;
      else high = middle - 1;
    }
    return segments[low];
  }

  /** Goes through a segment once for every range that has its next reading in it, and for the one whose turn it is. */
  async #visit(first: number, turn: Job): Promise<void> {
    const { archive, place } = this.#ports;
    const index = archive.segments.indexOf(first);
    const next = index < 0 ? undefined : archive.segments[index + 1];
    // What is durable now will have been read at the end; what comes later need not.
    const began = await this.#snapshot(first);
    const ends = next === undefined ? this.#present() : (await this.#snapshot(next)).positions;
    const jobs = this.#riders(first, turn, began, ends);
    const unread: number[] = [];
    const reader = archive.reader(first, {
      // Where a page can't be read there are zeros, which no line has: it may be readable again.
      damaged: ({ reason, copy, after }) => {
        if (reason === 'io' || copy.includes(0)) unread.push(after);
      },
    });
    const see = (offset: number) => {
      while (unread.length > 0 && unread[0] < offset) {
        unread.shift();
        for (const job of all(jobs)) job.blind = true;
      }
    };
    try {
      for (;;) {
        const entries = await reader.next(READ_ENTRIES).catch(() => undefined);
        if (this.#stopped) return;
        if (entries === undefined) return this.#refused(jobs, next);
        for (const entry of entries) {
          see(entry.offset);
          if (next !== undefined && entry.offset >= next) return this.#passed(jobs, ends, first, next);
          const { offset, ranges } = place();
          if (entry.offset >= (ranges.at(-1)?.[1] ?? offset)) return this.#queued(jobs);
          const passed =
            entry.offset < offset || ranges.some(([from, to]) => entry.offset >= from && entry.offset < to);
          if (entry.kind !== 'handover') await this.#offer(entry, jobs, passed);
          if (this.#stopped || jobs.size === 0) return;
        }
        if (entries.length === 0) {
          see(Number.POSITIVE_INFINITY);
          return this.#passed(jobs, ends, first, next);
        }
        await this.#rate.rest(entries.length);
        if (this.#stopped) return;
      }
    } finally {
      await reader.close().catch(() => undefined);
    }
  }

  /** Where the devices stand that are asked for. */
  #present(): ReadonlyMap<string, DevicePosition> {
    const positions = new Map<string, DevicePosition>();
    for (const { device } of this.#requests.waiting()) {
      const position = this.#ports.archive.positions.get(device);
      if (position !== undefined) positions.set(device, { ...position });
    }
    return positions;
  }

  /** By device. */
  #riders(
    first: number,
    turn: Job,
    began: Snapshot,
    ends: ReadonlyMap<string, DevicePosition>,
  ): Map<string, Job[]> {
    const jobs = new Map<string, Job[]>();
    for (const job of this.#requests.waiting()) {
      const { device } = job;
      const before = began.positions.get(device);
      const end = ends.get(device);
      // Where nobody knows how far the device had come, earlier segments may hold what the range lacks.
      const here =
        job.fromSegment <= first &&
        (before === undefined ? began.complete : compare([before.epoch, before.seq], job.next) < 0) &&
        (end === undefined || compare(job.next, [end.epoch, end.seq]) <= 0);
      if (!here && job !== turn) continue;
      job.unheard = before === undefined && began.complete;
      if (before !== undefined && compare([before.epoch, before.seq], job.next) < 0) job.came(before);
      if (job.over) {
        this.#settle(job);
        continue;
      }
      const others = jobs.get(device);
      if (others === undefined) jobs.set(device, [job]);
      else others.push(job);
    }
    return jobs;
  }

  async #offer(entry: DeviceEntry, jobs: Map<string, Job[]>, passed: boolean): Promise<void> {
    const asking = jobs.get(entry.device);
    if (asking === undefined) return;
    const wanting = asking.filter(job => job.take(entry, passed));
    if (wanting.length > 0 && entry.kind === 'reading') {
      for (const job of this.#requests.of(entry.device))
        if (!asking.includes(job) && job.note(entry)) wanting.push(job);
      for (const job of wanting) job.unacknowledged++;
      const message = sealedMessage(this.#options.site, entry, this.#options.mark);
      const acknowledged = () => {
        this.#counts.sent++;
        for (const job of wanting) {
          job.unacknowledged--;
          this.#settle(job);
        }
      };
      this.#outbox.add({ message, optional: false, acknowledged });
      await this.#outbox.room();
    }
    for (const job of asking) this.#settle(job);
    const left = asking.filter(job => !job.over);
    if (left.length === 0) jobs.delete(entry.device);
    else if (left.length < asking.length) jobs.set(entry.device, left);
  }

  /** The segment has been gone through: what it should have held and didn't, the medium has taken. */
  #passed(
    jobs: ReadonlyMap<string, Job[]>,
    ends: ReadonlyMap<string, DevicePosition>,
    first: number,
    next: number | undefined,
  ): void {
    const there = this.#ports.archive.segments.includes(first);
    for (const job of all(jobs)) {
      const end = ends.get(job.device);
      if (there && end !== undefined) job.missed(after(end));
      if (next !== undefined) job.fromSegment = next;
      this.#settle(job);
    }
  }

  /** The disk does not give the segment: others may be in better order. */
  #refused(jobs: ReadonlyMap<string, Job[]>, next: number | undefined): void {
    this.#counts.failed++;
    for (const job of all(jobs)) {
      job.blind = true;
      if (next === undefined) job.over = true;
      else job.fromSegment = next;
      this.#settle(job);
    }
  }

  /** The rest is still to be published. */
  #queued(jobs: ReadonlyMap<string, Job[]>): void {
    for (const job of all(jobs)) {
      const last = this.#ports.archive.positions.get(job.device);
      if (last !== undefined) job.pass(after(last), 'queued');
      job.finish(this.#rest(job));
      this.#settle(job);
    }
  }

  /** Tells of a job once it is over and the broker has all that was sent for it. */
  #settle(job: Job): void {
    if (!job.over || job.unacknowledged > 0 || this.#stopped) return;
    const answer = this.#requests.settled(job, job.result(this.#ports.archive.positions.get(job.device)));
    if (answer !== undefined) this.#answer(answer);
    this.#answerTimer ??= this.#ports.clock.after(ANSWER_MS, () => {
      this.#answerTimer = undefined;
      for (const part of this.#requests.answers()) this.#answer(part);
    });
  }

  /** There are no more of these than open requests. */
  #answer({ id, done, results }: Answer): void {
    this.#tell(id, done, results, false);
  }

  #tell(id: string, done: boolean, results: Answer['results'], busy: boolean): void {
    const { site, gateway } = this.#options;
    const payload = encodeFetched({ gateway, site, id, done, busy, results });
    const topic = fetchedTopic(site, gateway);
    this.#outbox.add({
      message: { topic, payload, retain: false, contentType: FETCHED_CONTENT_TYPE },
      optional: true,
      acknowledged: () => {},
    });
  }

  /** What a disk that refuses does not tell is not known. */
  async #snapshot(first: number): Promise<Snapshot> {
    const snapshot = await this.#ports.archive.snapshot(first).catch((): Snapshot => {
      this.#counts.failed++;
      return { complete: false, positions: new Map() };
    });
    await this.#rate.rest(1 + snapshot.positions.size / READ_ENTRIES);
    return snapshot;
  }
}

function all(jobs: ReadonlyMap<string, Job[]>): Job[] {
  return [...jobs.values()].flat();
}
