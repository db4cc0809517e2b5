import { type Label, label, type RecordWriter, readSourceSettings, utf8 } from './seal/index.js';
import type { Source, SourceSettings } from './sensors/source.js';

const MAX_FAULT_BYTES = 96;
const AS_BUILT: SourceSettings = {};

/**
 * Settings of the sources, as the gateway gives them. They are kept in memory: after a reboot the board's own
 * are in force until the gateway has heard so. Versions only rise, so an old message that comes again sets
 * nothing back.
 */
export class Configuration {
  /** The last version that came, 0 before the first. */
  version = 0;
  /** The last that was applied whole. */
  applied = 0;
  /** Not empty: why the last version was not. */
  fault = '';
  readonly #sources: readonly Source[];
  readonly #labels: { version: Label; refused: Label; fault: Label } = {
    version: label('config-version'),
    refused: label('config-refused'),
    fault: label('config-fault'),
  };
  #faultText: Uint8Array = new Uint8Array(0);

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /**
   * Takes the settings in `bytes[from, to)`. A source that is not named goes back to the board's own; one that
   * refuses a value keeps what it had, the others take theirs.
   * @returns whether the version is a later one
   */
  take(version: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (version <= this.version) return false;
    this.version = version;
    this.fault = this.#apply(bytes, from, to);
    this.#faultText = utf8(this.fault, MAX_FAULT_BYTES);
    if (this.fault === '') this.applied = version;
    return true;
  }

  /** For a heartbeat: acknowledges what came. */
  write(records: RecordWriter): void {
    if (this.applied > 0) records.number(this.#labels.version, this.applied);
    if (this.version === this.applied) return;
    records.number(this.#labels.refused, this.version);
    records.text(this.#labels.fault, this.#faultText);
  }

  #apply(bytes: Uint8Array, from: number, to: number): string {
    const settings = readSourceSettings(bytes, from, to);
    if (typeof settings === 'string') return `settings: ${settings}`;
    let fault = '';
    for (const { name } of settings) {
      if (!this.#sources.some(source => source.name === name && source.configure !== undefined))
        fault ||= `${name}: unknown`;
    }
    for (const source of this.#sources) {
      const wanted = settings.find(({ name }) => name === source.name) ?? AS_BUILT;
      const refused = source.configure?.(wanted) ?? '';
      if (refused !== '') fault ||= `${source.name}: ${refused}`;
    }
    return fault;
  }
}
