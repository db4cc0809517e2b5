/** What is kept beside the journal: quarantine within its quota, and evidence of every fork before it is refused. */
import type { Disk } from '../disk/disk.js';
import type { Inode } from '../disk/inode.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';

export interface StoreLimits {
  readonly maxBytes: number;
  readonly evidenceBytes: number;
}

/** Readings of a fork stand in one file, in base64url. */
const MAX_EVIDENCE_FILE_BYTES = 16 * 1024;
/** A quarantine file ends with the line that fills it, and one more is begun before the oldest goes. */
const QUARANTINE_SLACK = 2.25;

export class StoreCheck {
  readonly #world: World;
  readonly #disk: Disk;
  readonly #evidence: string;
  readonly #limits: StoreLimits;
  /** Pairs beyond the limits, which those that wait for the disk count towards: what is there proves enough. */
  readonly #beyond = new Set<string>();

  constructor(world: World, disk: Disk, dataDirectory: string, limits: StoreLimits) {
    this.#world = world;
    this.#disk = disk;
    this.#limits = limits;
    this.#evidence = `${dataDirectory}/evidence`;
    const quarantine = `${dataDirectory}/quarantine`;
    disk.watch(quarantine, { written: (_file, from, to) => this.#bounded(quarantine, to - from) });
    disk.watch(this.#evidence, { written: () => this.#boundedEvidence() });
  }

  hasEvidence(device: string, epoch: number, seq: number, tag8: string): boolean {
    const name = evidenceName(device, epoch, seq, tag8);
    for (const file of this.#files(this.#evidence)) {
      if (file.name === name && file.durableLinks > 0 && file.confirmedSize === file.size) return true;
    }
    return false;
  }

  /** The gateway says that it only counts this pair. */
  beyond(evidence: string): void {
    this.#beyond.add(evidence);
  }

  /** What proves that a refusal was right is durable. */
  proves(device: string, epoch: number, seq: number, tag8: string): boolean {
    if (this.hasEvidence(device, epoch, seq, tag8)) return true;
    return this.#others(device) > 0 && this.#beyond.has(evidenceName(device, epoch, seq, tag8));
  }

  refused(device: string, epoch: number, seq: number, tag8: string): void {
    if (this.proves(device, epoch, seq, tag8)) return;
    this.#fail(
      'evidence is durable before a fork is refused',
      `${device} ${epoch}:${seq} ${tag8}, ${this.#others(device)} others`,
    );
  }

  /** At the end: nobody without a key has brought forth a fork. */
  final(sealed: (payload: Uint8Array) => boolean): void {
    for (const file of this.#files(this.#evidence)) {
      if (!file.name.endsWith('.json') || file.destroyed.length > 0) continue;
      const payload = refusedIn(file.visible);
      if (payload === undefined) this.#fail('evidence is whole', file.name);
      else if (!sealed(payload)) this.#fail('evidence is of what a device has sealed', file.name);
    }
  }

  #others(device: string): number {
    let own = 0;
    for (const file of this.#files(this.#evidence))
      if (file.durableLinks > 0 && file.name.startsWith(device)) own++;
    return own;
  }

  #bounded(directory: string, more: number): void {
    let bytes = more;
    for (const file of this.#files(directory)) bytes += file.size;
    const limit = this.#limits.maxBytes * QUARANTINE_SLACK;
    if (bytes > limit) this.#fail('the quarantine is bounded', `${bytes} bytes of ${this.#limits.maxBytes}`);
  }

  #boundedEvidence(): void {
    let bytes = 0;
    const devices = new Set<string>();
    for (const file of this.#files(this.#evidence)) {
      bytes += file.size;
      devices.add(file.name.slice(0, 16));
    }
    const limit = this.#limits.evidenceBytes + devices.size * MAX_EVIDENCE_FILE_BYTES;
    if (bytes > limit) this.#fail('the evidence is bounded', `${bytes} bytes of ${devices.size} devices`);
  }

  *#files(directory: string): Iterable<Inode> {
    const node = this.#disk.find(directory);
    if (node?.kind !== 'directory') return;
    for (const entry of node.entries.values()) if (entry.kind === 'file') yield entry;
  }

  #fail(what: string, details: string): void {
    this.#world.fail(new Violation(what, details));
  }
}

/** undefined: not what the gateway writes. */
function refusedIn(file: Buffer): Buffer | undefined {
  try {
    return Buffer.from(JSON.parse(file.toString('utf8')).refused.bytes, 'base64url');
  } catch {
    return undefined;
  }
}

function evidenceName(device: string, epoch: number, seq: number, tag8: string): string {
  return `${device}-${epoch}-${seq}-${tag8}.json`;
}
