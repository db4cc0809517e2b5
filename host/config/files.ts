/** The files that a configuration names, the secrets that stand in it, and putting other values into its text. */
import { resolve } from 'node:path';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Path, pathText } from './document.js';
import { configSchema, isFile, isSecret } from './schema.js';
import { scalarText } from './yaml-text.js';

/** A setting whose value is the path of a file, relative to the configuration's directory. */
export interface NamedFile {
  readonly setting: Path;
  /** Absolute. */
  readonly path: string;
}

/** Where the configuration may name a file: all of them, but for the keyring and the data directory. */
export const FILE_SETTINGS: readonly Path[] = settingsThat(isFile, configSchema, []).filter(
  path => path.length > 1 || (path[0] !== 'keyring' && path[0] !== 'data'),
);

const SECRET_SETTINGS = settingsThat(isSecret, configSchema, []);

/** The settings, such as `uplink.password`, whose secrets stand in this configuration itself, which is valid. */
export function secretsIn(text: string): string[] {
  const document = parseDocument(text);
  return SECRET_SETTINGS.filter(path => typeof document.getIn(path) === 'string').map(pathText);
}

/** The files that this configuration, which is valid, names. `directory`: where it lies. */
export function namedFiles(text: string, directory: string): NamedFile[] {
  const document = parseDocument(text);
  const found: NamedFile[] = [];
  for (const setting of FILE_SETTINGS) {
    const value = document.getIn(setting);
    if (typeof value === 'string') found.push({ setting, path: resolve(directory, value) });
  }
  return found;
}

/** What the text itself has there, if it is a text; undefined where a default holds. */
export function settingIn(text: string, setting: Path): string | undefined {
  const value = parseDocument(text).getIn(setting);
  return typeof value === 'string' ? value : undefined;
}

/** The text with other values; whatever else stands in it stays as it is, to the letter. */
export function withSettings(text: string, changes: readonly (readonly [Path, string])[]): string {
  const document = parseDocument(text);
  const edits: { from: number; to: number; text: string }[] = [];
  for (const [path, value] of changes) {
    const node = document.getIn(path, true);
    const said = scalarText(value);
    if (isScalar(node) && node.range && node.anchor === undefined)
      edits.push({ from: node.range[0], to: node.range[1], text: said });
    else if (node === undefined && path.length === 1 && isMap(document.contents) && !document.contents.flow)
      edits.push({ from: text.length, to: text.length, text: `\n${path[0]}: ${said}\n` });
    // An anchor's value may be wanted elsewhere, and a flow map has no lines to add.
    else return rewritten(text, changes);
  }
  edits.sort((a, b) => b.from - a.from);
  return edits.reduce((now, edit) => now.slice(0, edit.from) + edit.text + now.slice(edit.to), text);
}

/** Has the values, and comments that may stand elsewhere. */
function rewritten(text: string, changes: readonly (readonly [Path, string])[]): string {
  const document = parseDocument(text);
  for (const [path, value] of changes) document.setIn(path, value);
  return document.toString({ lineWidth: 0 });
}

interface Wrapped {
  readonly def: {
    readonly shape?: Readonly<Record<string, z.ZodType>>;
    readonly innerType?: z.ZodType;
    readonly in?: z.ZodType;
  };
}

function settingsThat(are: (schema: z.ZodType) => boolean, schema: z.ZodType, path: Path): Path[] {
  if (are(schema)) return [path];
  const { shape, innerType, in: input } = (schema as unknown as Wrapped).def;
  const within = innerType ?? input;
  if (within !== undefined) return settingsThat(are, within, path);
  return Object.entries(shape ?? {}).flatMap(([key, value]) => settingsThat(are, value, [...path, key]));
}
