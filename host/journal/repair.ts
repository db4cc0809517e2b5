/**
 * Takes the damage out of segments without deleting anything.
 *
 * A damaged segment is copied with the damage blanked, the copy is synced, the original gets a second name in
 * `aside/`, which is synced too, and the copy takes its first name in one step: at no moment is the segment not
 * there. A stop at any point leaves the original, or both, and another run goes on. One pass and one buffer,
 * whatever the size and however much is damaged.
 */
import type { LinkingStorage } from '../ports.js';
import { setAside } from './aside.js';
import type { Damage, GapEntry } from './entry.js';
import type { LossCause } from './loss.js';
import { copyFault, MendedCopy } from './mended-copy.js';
import { restoreNames } from './misnamed.js';
import { ASIDE, COPY_SUFFIX, lostNote, missingNote, segmentFirst } from './names.js';
import { passThrough } from './pass.js';
import type { RepairListener } from './repair-news.js';

export type RepairProgress = (index: number, count: number) => void;

/**
 * Repairs everything that can be. Nobody may have the journal open.
 *
 * @throws Fault `repair-no-space`, `repair-no-links`, or the storage's error; what was done so far stays done, and
 *   another run goes on
 */
export async function repair(
  storage: LinkingStorage,
  directory: string,
  done: RepairListener,
  progress: RepairProgress = () => undefined,
): Promise<void> {
  await finishEarlier(storage, directory);
  await restoreNames(storage, directory, done);
  const mender = new Mender(storage, directory, done, progress);
  try {
    await passThrough(storage, directory, 0, mender);
    await mender.end();
  } catch (error) {
    await mender.stop();
    throw error;
  }
}

/** A former run was stopped: its copy is made anew, unless it is all there is. */
async function finishEarlier(storage: LinkingStorage, directory: string): Promise<void> {
  const names = await storage.list(directory);
  for (const name of names) {
    if (!name.endsWith(COPY_SUFFIX)) continue;
    const segment = name.slice(0, -COPY_SUFFIX.length);
    if (segmentFirst(segment) === undefined) continue;
    if (names.includes(segment)) await storage.remove(`${directory}/${name}`);
    else await storage.rename(`${directory}/${name}`, `${directory}/${segment}`);
  }
  await storage.syncDirectory(directory);
}

class Mender {
  readonly #storage: LinkingStorage;
  readonly #directory: string;
  readonly #done: RepairListener;
  readonly #progress: RepairProgress;
  #copy: MendedCopy | undefined;
  #unreadable = '';
  #lostBefore = 0;
  /** The last damage of which the mended copy keeps a trace, by number. */
  #traced = 0;
  /** One thing after another. */
  #work: Promise<void> = Promise.resolve();

  constructor(storage: LinkingStorage, directory: string, done: RepairListener, progress: RepairProgress) {
    this.#storage = storage;
    this.#directory = directory;
    this.#done = done;
    this.#progress = progress;
  }

  progress(index: number, count: number): void {
    this.#progress(index, count);
  }

  damage(damage: Damage): Promise<void> {
    const work = this.#work.then(() => this.#take(damage));
    this.#work = work.catch(() => undefined);
    return work;
  }

  async passed(segment: string): Promise<void> {
    const copy = this.#copy;
    this.#copy = undefined;
    const unreadable = this.#unreadable;
    this.#unreadable = '';
    if (unreadable !== '') {
      await copy?.discard();
      await this.#done({ kind: 'unreadable', segment, detail: unreadable });
      return;
    }
    if (!copy) return;
    try {
      await copy.finish();
      const movedTo = await setAside(this.#storage, this.#directory, segment);
      await this.#storage.rename(
        `${this.#directory}/${segment}${COPY_SUFFIX}`,
        `${this.#directory}/${segment}`,
      );
      await this.#storage.syncDirectory(this.#directory);
      const { bytes, blankedBytes, addedBytes } = copy;
      await this.#done({ kind: 'mended', segment, movedTo, bytes, blankedBytes, addedBytes });
    } catch (error) {
      await copy.discard();
      throw copyFault(this.#directory, segment, error);
    }
  }

  async stop(): Promise<void> {
    await this.#work;
    await this.#copy?.discard();
    this.#copy = undefined;
  }

  async #take({ reason, segment, at, bytes, missingBytes, detail, number }: Damage): Promise<void> {
    // A line feed that is put back is a line feed.
    if (reason !== 'feed') this.#traced = number;
    if (reason === 'io') {
      this.#unreadable = detail;
      return;
    }
    if (reason === 'missing') return this.#note(missingNote(segment), segment, detail);
    try {
      this.#copy ??= await MendedCopy.begin(this.#storage, this.#directory, segment);
      const { addedBytes } = this.#copy;
      if (reason === 'bounds' && bytes > 0) await this.#copy.blank(at, bytes - addedBytes);
      else if (reason === 'bounds') await this.#copy.insert(at, missingBytes - addedBytes);
      else if (missingBytes > 0) await this.#copy.insert(at, missingBytes);
      else await this.#copy.blank(at, bytes);
    } catch (error) {
      throw copyFault(this.#directory, segment, error);
    }
  }

  async loss({ offset }: GapEntry, { damages, blanks }: LossCause): Promise<void> {
    await this.#work;
    const traced = damages !== undefined && this.#traced >= damages[0];
    if (!traced && !blanks) this.#lostBefore = offset + 1;
  }

  async end(): Promise<void> {
    const before = this.#lostBefore;
    if (before === 0) return;
    const detail = `readings are lost before offset ${before} without a trace of damage`;
    await this.#note(lostNote(before), '', detail);
  }

  /** Of what isn't there, all that can be done is to say so once. */
  async #note(name: string, segment: string, detail: string): Promise<void> {
    const aside = `${this.#directory}/${ASIDE}`;
    const note = `${aside}/${name}`;
    await this.#storage.ensureDirectory(aside);
    if ((await this.#storage.list(aside)).includes(name)) return;
    try {
      const file = await this.#storage.open(note, 'create');
      try {
        await file.write(Buffer.from(`${JSON.stringify({ segment, detail })}\n`), 0);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw copyFault(this.#directory, segment, error);
    }
    await this.#storage.syncDirectory(aside);
    await this.#done({ kind: 'noted', segment, detail, note });
  }
}
