/**
 * The ranges that wait, fairly: each asker's turn comes in the round, whatever the others ask for. Who an asker is, is his
 * own word; askers without a name share one turn. What has become of a request is told as it comes about.
 */
import { type FetchRequest, type FetchResult, MAX_RESULTS } from './format.js';
import { Job } from './job.js';

const MAX_REQUESTS = 64;
const MAX_REQUESTS_PER_ASKER = 8;

export interface Answer {
  readonly id: string;
  readonly done: boolean;
  readonly results: readonly FetchResult[];
}

class Request {
  readonly id: string;
  readonly asker: string;
  results: FetchResult[] = [];
  left: number;

  constructor({ id, asker, ranges }: FetchRequest) {
    this.id = id;
    this.asker = asker;
    this.left = ranges.length;
  }
}

export class Requests {
  /** Jobs of each asker, whose turn comes first stands first. */
  readonly #waiting = new Map<string, Job[]>();
  readonly #open = new Set<Request>();
  readonly #of = new Map<Job, Request>();
  /** By device. */
  readonly #jobs = new Map<string, Set<Job>>();

  /** Ranges that wait or are being answered. */
  get size(): number {
    return this.#of.size;
  }

  /** Undefined when there are too many. */
  add(request: FetchRequest): readonly Job[] | undefined {
    let same = 0;
    for (const { asker } of this.#open) if (asker === request.asker) same++;
    if (this.#open.size >= MAX_REQUESTS || same >= MAX_REQUESTS_PER_ASKER) return undefined;
    const opened = new Request(request);
    this.#open.add(opened);
    const jobs = request.ranges.map(range => new Job(range));
    for (const job of jobs) {
      this.#of.set(job, opened);
      const others = this.#jobs.get(job.device);
      if (others === undefined) this.#jobs.set(job.device, new Set([job]));
      else others.add(job);
    }
    const before = this.#waiting.get(request.asker);
    if (before === undefined) this.#waiting.set(request.asker, [...jobs]);
    else before.push(...jobs);
    return jobs;
  }

  /** The next in turn; it stays until it is over. */
  next(): Job | undefined {
    for (const [asker, jobs] of this.#waiting) {
      const left = jobs.filter(job => !job.over);
      this.#waiting.delete(asker);
      if (left.length === 0) continue;
      this.#waiting.set(asker, left);
      return left[0];
    }
    return undefined;
  }

  /** All that are not over. */
  *waiting(): Iterable<Job> {
    for (const jobs of this.#waiting.values()) for (const job of jobs) if (!job.over) yield job;
  }

  /** Those of a device that are not answered. */
  of(device: string): Iterable<Job> {
    return this.#jobs.get(device) ?? [];
  }

  /** A job is over, and all that was sent for it acknowledged; returns an answer when it makes a message full. */
  settled(job: Job, result: FetchResult): Answer | undefined {
    const request = this.#of.get(job);
    if (request === undefined) return undefined;
    this.#of.delete(job);
    const others = this.#jobs.get(job.device);
    others?.delete(job);
    if (others?.size === 0) this.#jobs.delete(job.device);
    request.left--;
    request.results.push(result);
    return request.left === 0 || request.results.length >= MAX_RESULTS ? this.#answer(request) : undefined;
  }

  /** What can be told by now. */
  *answers(): Iterable<Answer> {
    for (const request of this.#open) if (request.results.length > 0) yield this.#answer(request);
  }

  #answer(request: Request): Answer {
    const { id, results, left } = request;
    request.results = [];
    if (left === 0) this.#open.delete(request);
    return { id, done: left === 0, results };
  }
}
