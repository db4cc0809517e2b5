import type { RequestFault } from './format.js';

/** What has been counted since the start of the process. */
export class FetchCounts {
  requests = 0;
  ranges = 0;
  /** Readings, acknowledged. */
  sent = 0;
  /** Times that the disk refused. */
  failed = 0;
  /** Requests that were not taken, by reason. */
  readonly refused: Partial<Record<RequestFault | 'busy', number>> = {};

  refuse(reason: RequestFault | 'busy'): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }

  get fields(): {
    requests: number;
    ranges: number;
    sent: number;
    failed: number;
    refused: Record<string, number>;
  } {
    const { requests, ranges, sent, failed, refused } = this;
    return { requests, ranges, sent, failed, refused: { ...refused } };
  }
}
