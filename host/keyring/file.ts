/**
 * The keyring file, YAML, readable by its owner alone:
 *
 *   version: 1
 *   devices:
 *     - id: "3f0c5d2a9b1e4c77"       # 8 random bytes, new at every provisioning
 *       name: "cellar-probe"         # an alias, unique
 *       epoch: 0                     # base: the epoch that chain belongs to
 *       chain: "<64 hex digits>"
 *       down: "<64 hex digits>"      # absent in a keyring that only verifies
 *       pending: true                # sent to a board that has not confirmed it; absent otherwise
 *     - name: "greenhouse"
 *       sdk: { node: "esp32-a1", key: "<hex digits>", allowReset: false }
 *   removed: ["…"]                   # ids that are never used again
 *
 * Every scalar is read as text, whatever YAML would make of it: an id such as 12e4567890123456 is no number.
 * The root key of a device never stands here.
 */
import { z } from 'zod';
import { fromHex, MAX_SAFE, toHex } from '../../firmware/seal/index.js';
import { type Problem, pathText, problemsFault, readDocument, valueAt } from '../config/document.js';
import { Fault } from '../fault.js';
import {
  ID,
  type KeyringEntry,
  type KeyringView,
  MAX_DEVICES,
  MAX_KEYRING_BYTES,
  MAX_NODE_BYTES,
  MAX_SDK_KEY_BYTES,
  NAME,
  NAME_RULE,
} from './entry.js';
import type { PrivateFiles } from './files.js';
import { readRendered } from './rendered.js';
import { sdkDeviceId } from './sdk-id.js';

const text = (what: string, pattern: RegExp) => z.string({ error: what }).regex(pattern, { error: what });
const id = text('16 lower-case hex digits', ID);
const key = text('64 hex digits', /^[0-9a-fA-F]{64}$/);
const truth = text('true or false', /^(true|false)$/);

const device = z.strictObject({
  id: id.optional(),
  name: text(NAME_RULE, NAME),
  epoch: text('a whole number from 0', /^(0|[1-9]\d{0,15})$/).optional(),
  chain: key.optional(),
  down: key.optional(),
  pending: text('true, or no such line', /^true$/).optional(),
  sdk: z
    .strictObject({
      node: text(`a node name of at most ${MAX_NODE_BYTES} bytes`, /^[\s\S]+$/).refine(node => isNode(node), {
        error: `a node name of at most ${MAX_NODE_BYTES} bytes`,
      }),
      key: text(
        `an even number of hex digits, at most ${2 * MAX_SDK_KEY_BYTES}`,
        /^([0-9a-fA-F]{2}){1,1024}$/,
      ),
      allowReset: truth.optional(),
    })
    .optional(),
});

const schema = z.strictObject({
  version: text('1', /^1$/),
  devices: z.array(device).max(MAX_DEVICES, { error: `at most ${MAX_DEVICES} devices` }),
  removed: z.array(id).optional(),
});

/** The devices of one keyring file; never changes. */
export class Keyring implements KeyringView {
  /** Ids that were removed, and so are never used again. */
  readonly removed: ReadonlySet<string>;
  readonly #byId: ReadonlyMap<string, KeyringEntry>;
  readonly #byName: ReadonlyMap<string, KeyringEntry>;
  readonly #byNode: ReadonlyMap<string, KeyringEntry>;

  constructor(entries: Iterable<KeyringEntry>, removed: Iterable<string> = []) {
    const all = [...entries];
    this.removed = new Set(removed);
    this.#byId = new Map(all.map(entry => [entry.id, entry]));
    this.#byName = new Map(all.map(entry => [entry.name, entry]));
    this.#byNode = new Map(all.flatMap(entry => (entry.sdk ? [[entry.sdk.node, entry]] : [])));
  }

  /** @throws Fault `keyring-invalid`, listing every problem with its line */
  static parse(content: string, file: string): Keyring {
    const rendered = parseRendered(content);
    if (rendered !== undefined) return rendered;
    const reading = readDocument(content, schema, { maxLength: MAX_KEYRING_BYTES, strings: true });
    const entries = (reading.value?.devices ?? []).map(entryOf);
    const raw = valueAt(reading.raw, ['devices']);
    const problems: Problem[] = [
      ...reading.problems,
      ...conflicts(Array.isArray(raw) ? raw : [], valueAt(reading.raw, ['removed'])).map(
        ({ index, key, text }) => {
          const path = key === '' ? ['devices', index] : ['devices', index, key];
          return { line: reading.lineOf(path), text: `${pathText(path)}: ${text}` };
        },
      ),
    ];
    if (problems.length > 0)
      throw problemsFault('keyring-invalid', file, problems, `mend these lines in ${file}`);
    return new Keyring(entries, reading.value?.removed);
  }

  /**
   * Reads a keyring.
   * @throws Fault `keyring-missing`, `keyring-readable` (others may read it), `keyring-unreadable`, `keyring-invalid`
   */
  static async load(path: string, files: PrivateFiles): Promise<Keyring> {
    const found = await files.read(path, MAX_KEYRING_BYTES);
    if (found === undefined)
      throw new Fault('keyring-missing', `there is no keyring ${path}`, 'sovereign init makes one');
    if ((found.mode & 0o077) !== 0)
      throw new Fault(
        'keyring-readable',
        `the keyring ${path} has mode ${octal(found.mode)}: others than its owner may use it, expected 0600`,
        `chmod 600 ${shellWord(path)}`,
      );
    return Keyring.parse(new TextDecoder().decode(found.bytes), path);
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): KeyringEntry | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): KeyringEntry | undefined {
    return this.#byName.get(name);
  }

  byNode(node: string): KeyringEntry | undefined {
    return this.#byNode.get(node);
  }

  entries(): IterableIterator<KeyringEntry> {
    return this.#byId.values();
  }

  /** The file's text. */
  render(): string {
    const lines = [
      '# Keys of Sovereign Edge. Whoever reads this file can forge readings: keep it at mode 0600.',
      '# `sovereign device` writes it anew and keeps no comments.',
      'version: 1',
      this.size === 0 ? 'devices: []' : 'devices:',
    ];
    for (const entry of this.entries()) lines.push(...renderEntry(entry));
    const removed = [...this.removed];
    lines.push(removed.length === 0 ? 'removed: []' : 'removed:');
    for (const id of removed) lines.push(`  - ${quote(id)}`);
    return `${lines.join('\n')}\n`;
  }
}

/** Words that a shell takes as they are, or quoted. */
export function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function renderEntry(entry: KeyringEntry): string[] {
  if (entry.sdk) {
    const { node, key, allowReset } = entry.sdk;
    return [
      `  - name: ${quote(entry.name)}`,
      `    sdk: { node: ${quote(node)}, key: ${quote(toHex(key))}, allowReset: ${allowReset} }`,
    ];
  }
  return [
    `  - id: ${quote(entry.id)}`,
    `    name: ${quote(entry.name)}`,
    `    epoch: ${entry.epoch}`,
    `    chain: ${quote(toHex(entry.chain))}`,
    ...(entry.down ? [`    down: ${quote(toHex(entry.down))}`] : []),
    ...(entry.pending ? ['    pending: true'] : []),
  ];
}

/** JSON's strings are YAML's double-quoted ones. */
const quote = (value: string) => JSON.stringify(value);
const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0');

function entryOf(entry: z.output<typeof device>): KeyringEntry {
  if (entry.sdk) {
    const { node, key, allowReset } = entry.sdk;
    return {
      id: sdkDeviceId(node),
      name: entry.name,
      epoch: 0,
      chain: new Uint8Array(0),
      sdk: { node, key: fromHex(key) ?? new Uint8Array(0), allowReset: allowReset === 'true' },
    };
  }
  return {
    id: entry.id ?? '',
    name: entry.name,
    epoch: Number(entry.epoch),
    chain: fromHex(entry.chain ?? '') ?? new Uint8Array(0),
    ...(entry.down !== undefined && { down: fromHex(entry.down) ?? new Uint8Array(0) }),
    ...(entry.pending !== undefined && { pending: true as const }),
  };
}

/** A keyring that is byte for byte as it would be rendered, and keeps every rule; else undefined. */
function parseRendered(content: string): Keyring | undefined {
  const read = readRendered(content);
  if (read === undefined) return undefined;
  const { entries, removed } = read;
  const keyring = new Keyring(entries, removed);
  const names = new Set(entries.map(entry => entry.name));
  const sound =
    keyring.size === entries.length &&
    names.size === entries.length &&
    entries.length <= MAX_DEVICES &&
    entries.every(
      ({ id, name, epoch, sdk }) =>
        NAME.test(name) &&
        epoch <= MAX_SAFE &&
        (sdk ? soundSdk(sdk.node, sdk.key) : !keyring.removed.has(id)),
    );
  return sound && keyring.render() === content ? keyring : undefined;
}

const soundSdk = (node: string, key: Uint8Array) =>
  node !== '' && isNode(node) && key.length <= MAX_SDK_KEY_BYTES;

/** A lone surrogate has no UTF-8: two such names would be one to the world, and no frame can bear them. */
const isNode = (node: string) =>
  new TextEncoder().encode(node).length <= MAX_NODE_BYTES && !/\p{Surrogate}/u.test(node);

interface Conflict {
  readonly index: number;
  readonly key: string;
  readonly text: string;
}

/** What no single value shows: keys that go together, and what must be unique. */
function conflicts(devices: readonly unknown[], removed: unknown): Conflict[] {
  const found: Conflict[] = [];
  const gone = new Set(Array.isArray(removed) ? removed : []);
  const taken = { id: new Map<unknown, number>(), name: new Map(), node: new Map() };
  for (const [index, value] of devices.entries()) {
    const at = (...path: string[]) => valueAt(value, path);
    const add = (key: string, text: string) => found.push({ index, key, text });
    const unique = (kind: keyof typeof taken, key: string, word: unknown) => {
      if (word === undefined) return;
      const first = taken[kind].get(word);
      if (first === undefined) taken[kind].set(word, index);
      else add(key, `the same ${kind} as devices[${first}]; every device has its own`);
    };
    if (at('sdk') !== undefined) {
      for (const key of ['id', 'epoch', 'chain', 'down', 'pending'])
        if (at(key) !== undefined) add(key, 'does not go with sdk; remove it');
      unique('node', 'sdk', at('sdk', 'node'));
    } else {
      for (const key of ['id', 'epoch', 'chain'])
        if (at(key) === undefined) add('', `has no ${key}; a device has id, name, epoch and chain`);
      if (Number(at('epoch')) > MAX_SAFE) add('epoch', 'is beyond 2^53-1');
      unique('id', 'id', at('id'));
      if (gone.has(at('id')))
        add('id', 'stands under removed, and removed ids are never used again; provision the device anew');
    }
    unique('name', 'name', at('name'));
  }
  return found;
}
