/**
 * A subscriber's durable state: a directory with one file, `state-<generation, 10 digits>.jsonl`, of lines
 *
 *   <CRC-32 of the JSON text, 8 hex digits> <JSON>\n
 *
 *   {"state":1,"generation":7}      first
 *   …                               snapshot
 *   {"end":1}                       the snapshot is whole
 *   …                               what happened since; a line is appended and synced for each batch
 *
 * Opening never appends to a file: it writes the next generation whole, syncs it and its directory, and only then
 * removes the others. The same is done when a file has grown, and after any write or sync that failed, of which
 * nothing may be assumed. A file without a whole snapshot was being written when the process died: it doesn't count. A
 * torn last line is what a crash leaves. Other damage costs the lines it is in: every line only adds to what is
 * known to have been seen, so the worst is that readings repeat; the file is kept aside as `….damaged`.
 */
import { crc32 } from 'node:zlib';
import { Fault } from '../fault.js';
import type { Log, Storage, StorageFile } from '../ports.js';

/** What the state is about. */
export interface StateModel {
  /** Takes a line of a snapshot or of what happened since; false when it makes no sense. */
  apply(line: unknown): boolean;
  /** After the last line: some were damaged. */
  damaged?(): void;
  /** Lines that say all that is known. */
  snapshot(): Iterable<unknown>;
}

export interface StatePorts {
  readonly storage: Storage;
  readonly log: Log;
}

/** Of ten digits, but none that would leave no number for the files to come. */
const NAME = /^state-([0-8]\d{9})\.jsonl$/;
/** A file that has grown by so much since its snapshot is written anew. */
const MAX_GROWTH_BYTES = 4 * 1024 * 1024;
const CRC_CHARS = 8;

export class StateFile {
  readonly #ports: StatePorts;
  readonly #directory: string;
  readonly #model: StateModel;
  readonly #growthBytes: number;
  #generation: number;
  #file: StorageFile | undefined;
  #position = 0;
  #grown = 0;
  #pending: string[] = [];

  private constructor(
    ports: StatePorts,
    directory: string,
    model: StateModel,
    generation: number,
    growthBytes: number,
  ) {
    this.#ports = ports;
    this.#directory = directory;
    this.#model = model;
    this.#generation = generation;
    this.#growthBytes = growthBytes;
  }

  /**
   * Loads what there is into the model.
   * @throws Fault `state-unusable` when the directory can't be read or written
   */
  static async open(
    ports: StatePorts,
    directory: string,
    model: StateModel,
    growthBytes: number = MAX_GROWTH_BYTES,
  ): Promise<StateFile> {
    try {
      await ports.storage.ensureDirectory(directory);
      const generation = await load(ports, directory, model);
      const state = new StateFile(ports, directory, model, generation, growthBytes);
      await state.#renew();
      return state;
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault(
        'state-unusable',
        `can't use the state directory ${directory}: ${String(error)}`,
        'Check its permissions and the disk, or give another one with --state.',
        error,
      );
    }
  }

  /** Adds a line to what the next `commit` makes durable. */
  append(line: unknown): void {
    this.#pending.push(encodeLine(line));
  }

  /** Makes everything appended durable. @throws the storage's error; the next call then writes the whole state anew */
  async commit(): Promise<void> {
    if (this.#file === undefined || this.#grown > this.#growthBytes) {
      await this.#renew();
      return;
    }
    if (this.#pending.length === 0) return;
    const bytes = Buffer.from(this.#pending.join(''));
    this.#pending = [];
    try {
      await writeAll(this.#file, bytes, this.#position);
      await this.#file.sync();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    this.#position += bytes.length;
    this.#grown += bytes.length;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Writes the next generation; what is pending is in the model already. */
  async #renew(): Promise<void> {
    const { storage } = this.#ports;
    await this.#abandon();
    this.#pending = [];
    this.#generation++;
    const name = fileName(this.#generation);
    const file = await storage.open(`${this.#directory}/${name}`, 'create');
    let position = 0;
    try {
      let text = encodeLine({ state: 1, generation: this.#generation });
      for (const line of this.#model.snapshot()) {
        text += encodeLine(line);
        if (text.length < 65_536) continue;
        position += await writeAll(file, Buffer.from(text), position);
        text = '';
      }
      position += await writeAll(file, Buffer.from(text + encodeLine({ end: 1 })), position);
      await file.sync();
      await storage.syncDirectory(this.#directory);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#position = position;
    this.#grown = 0;
    for (const other of await storage.list(this.#directory)) {
      if (NAME.test(other) && other !== name) await storage.remove(`${this.#directory}/${other}`);
    }
  }

  async #abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}

/** Applies the newest whole file; returns the highest generation there is a file of. */
async function load({ storage, log }: StatePorts, directory: string, model: StateModel): Promise<number> {
  const names = (await storage.list(directory)).filter(name => NAME.test(name)).reverse();
  let lost = false;
  for (const name of names) {
    const path = `${directory}/${name}`;
    const { lines, damaged, whole } = parse(await readFile(storage, path));
    let wrong = damaged;
    if (!whole && damaged === 0) continue;
    for (const line of lines) if (!model.apply(line)) wrong++;
    if (wrong > 0) {
      log.error('subscriber-state-damaged', { file: path, lines: wrong, kept: `${name}.damaged` });
      await storage.rename(path, `${path}.damaged`);
    }
    lost ||= wrong > 0;
    // A damaged snapshot may lack what an older file still says.
    if (whole && wrong === 0) break;
  }
  if (lost) model.damaged?.();
  return names.length === 0 ? 0 : Number(NAME.exec(names[0])![1]);
}

/** The sound lines between the first and `end`, and those after it. */
function parse(text: string): { lines: unknown[]; damaged: number; whole: boolean } {
  const found: unknown[] = [];
  let damaged = 0;
  let begun = false;
  let whole = false;
  let torn = false;
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    // Damage that turns out not to be at the very end is damage, not a torn tail.
    if (torn) damaged++;
    torn = false;
    const line = end < 0 ? undefined : decodeLine(text.slice(from, end));
    from = end < 0 ? text.length : end + 1;
    if (line === undefined) torn = true;
    else if ((line as { state?: unknown }).state === 1) begun = true;
    else if ((line as { end?: unknown }).end === 1) whole = begun;
    else found.push(line);
  }
  return { lines: found, damaged, whole };
}

function encodeLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${crcText(json)} ${json}\n`;
}

function decodeLine(line: string): object | undefined {
  const json = line.slice(CRC_CHARS + 1);
  if (line.slice(0, CRC_CHARS + 1) !== `${crcText(json)} `) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined; // written by something else
  }
}

function crcText(json: string): string {
  return crc32(json).toString(16).padStart(CRC_CHARS, '0');
}

function fileName(generation: number): string {
  return `state-${String(generation).padStart(10, '0')}.jsonl`;
}

async function readFile(storage: Storage, path: string): Promise<string> {
  const file = await storage.open(path, 'read');
  try {
    const bytes = Buffer.alloc(await file.size());
    const length = await file.read(bytes, 0);
    return bytes.toString('utf8', 0, length);
  } finally {
    await file.close();
  }
}

async function writeAll(file: StorageFile, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length; ) {
    const written = await file.write(bytes.subarray(done), position + done);
    if (written <= 0) throw new Error('the disk takes no more bytes');
    done += written;
  }
  return bytes.length;
}
