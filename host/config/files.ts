/** The files that a configuration names, and putting other values into its text. */
import { resolve } from 'node:path';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { z } from 'zod';
import { Fault } from '../fault.js';
import { type Path, pathText } from './document.js';
import { configSchema, isFile } from './schema.js';

/** A setting whose value is the path of a file, relative to the configuration's directory. */
export interface NamedFile {
  readonly setting: Path;
  /** Absolute. */
  readonly path: string;
}

/** Where the configuration may name a file: all of them, but for the keyring and the data directory. */
export const FILE_SETTINGS: readonly Path[] = filesIn(configSchema, []).filter(
  path => path.length > 1 || (path[0] !== 'keyring' && path[0] !== 'data'),
);

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

/** The text with other values; comments and everything else stay as they are. */
export function withSettings(text: string, changes: readonly (readonly [Path, string])[]): string {
  const document = parseDocument(text);
  for (const [path, value] of changes) {
    const node = document.getIn(path, true);
    // An anchor's value may be wanted elsewhere: only this place is changed.
    if (isScalar(node) && node.anchor === undefined) {
      node.value = value;
      delete node.source;
    } else document.setIn(path, value);
  }
  if (!isMap(document.contents))
    throw new Fault(
      'config-invalid',
      `the configuration is no map, so ${pathText(changes[0][0])} can't be set`,
    );
  return document.toString({ lineWidth: 0 });
}

interface Wrapped {
  readonly def: {
    readonly shape?: Readonly<Record<string, z.ZodType>>;
    readonly innerType?: z.ZodType;
    readonly in?: z.ZodType;
  };
}

function filesIn(schema: z.ZodType, path: Path): Path[] {
  if (isFile(schema)) return [path];
  const { shape, innerType, in: input } = (schema as unknown as Wrapped).def;
  const within = innerType ?? input;
  if (within !== undefined) return filesIn(within, path);
  return Object.entries(shape ?? {}).flatMap(([key, value]) => filesIn(value, [...path, key]));
}
