/**
 * One YAML document against one schema: every problem at once, each with its line.
 * Used by the configuration and the keyring. Pure: text in, values out.
 */
import { type Document, isMap, isNode, isScalar, LineCounter, type Node } from 'yaml';
import type { z } from 'zod';
import { Fault } from '../fault.js';
import { nearest } from './nearest.js';
import { parseYaml, yamlMessage } from './yaml-text.js';

/** More are not looked for: a text of nothing but mistakes must not cost minutes. */
const MAX_PROBLEMS = 100;

/** Where in a document: keys of maps and indices of sequences, from the root. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export interface Reading<T> {
  /** What the schema made of the document; absent when it did not fit. */
  readonly value?: T;
  /** The document as plain values, whether it fits or not. */
  readonly raw: unknown;
  readonly problems: Problem[];
  /** The line of the value at `path`, or of the nearest thing around it that is there. */
  lineOf(path: Path): number;
}

export interface DocumentOptions {
  /** Longest text taken, in UTF-16 units. */
  readonly maxLength: number;
  /** Take every scalar as a string: for files in which `12e4567890123456` is an id and no number. */
  readonly strings?: boolean;
}

/** Parses and validates; problems stand in the order of their lines. Never throws because of the text. */
export function readDocument<T>(text: string, schema: z.ZodType<T>, options: DocumentOptions): Reading<T> {
  if (text.length > options.maxLength) {
    const problem = { line: 1, text: `expected at most ${options.maxLength} characters, got ${text.length}` };
    return { raw: undefined, problems: [problem], lineOf: () => 1 };
  }
  const lines = new LineCounter();
  const lineAt = (offset: number) => lines.linePos(Math.min(offset, text.length)).line || 1;
  const yaml = parseYaml(text, options.strings ? 'failsafe' : 'core', lines, MAX_PROBLEMS);
  const problems: Problem[] = yaml.problems.map(({ offset, text }) => ({ line: lineAt(offset), text }));
  const { document } = yaml;
  if (document === undefined) return { raw: undefined, problems: byLine(problems), lineOf: () => 1 };

  const lineOf = (path: Path): number => {
    let node: unknown = document.contents;
    let offset = startOf(node);
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(item => keyText(item.key) === String(step));
        if (pair === undefined) break;
        offset = startOf(pair.key) ?? offset;
        node = pair.value;
      } else {
        const item = (node as { items?: unknown[] } | null)?.items?.[Number(step)];
        if (item === undefined) break;
        node = item;
        offset = startOf(node) ?? offset;
      }
    }
    return lineAt(offset ?? 0);
  };

  let raw: unknown;
  try {
    raw = filled(document.toJS({ maxAliasCount: 100 }), schema, path => isBare(document, path));
  } catch (error) {
    problems.push({ line: 1, text: yamlMessage(error) });
    return { raw: undefined, problems: byLine(problems), lineOf };
  }
  const result = schema.safeParse(raw);
  if (result.success) return { value: result.data, raw, problems: byLine(problems), lineOf };
  for (const issue of result.error.issues) {
    if (problems.length >= MAX_PROBLEMS) break;
    problems.push(...describe(issue, raw, schema, lineOf));
  }
  return { raw, problems: byLine(problems), lineOf };
}

/** One Fault that lists them all, as `file:line: text`. */
export function problemsFault(
  code: string,
  file: string,
  problems: readonly Problem[],
  remedy: string,
): Fault {
  const many = problems.length > MAX_PROBLEMS ? `more than ${MAX_PROBLEMS}` : problems.length;
  const count = problems.length === 1 ? 'one problem' : `${many} problems`;
  const shown = byLine(problems.slice(0, MAX_PROBLEMS));
  const list = shown.map(problem => `\n  ${file}:${problem.line}: ${withoutKeys(problem.text)}`);
  if (shown.length < problems.length) list.push('\n  and more');
  return new Fault(code, `${count} in ${file}${list.join('')}`, remedy);
}

/** What may be key material never stands in a message, whatever place it got to in a broken file. */
const withoutKeys = (text: string) => text.replace(/[0-9a-fA-F]{32,}/g, '…');

/** `links.serial[0].baud` */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  );
}

/** The value at a path of plain values, or undefined. */
export function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** A value as an error message shows it: short, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  // A URL with a password in it is a mistake that ends up in logs.
  const text =
    typeof value === 'string' ? JSON.stringify(value.replace(/\/\/[^/]*@/, '//…@')) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function describe(
  issue: z.core.$ZodIssue,
  raw: unknown,
  schema: z.ZodType,
  lineOf: (path: Path) => number,
): Problem[] {
  const path = issue.path.map(step => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.slice(0, MAX_PROBLEMS).map(key => {
      const near = nearest(key, known);
      const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
      return { line: lineOf([...path, key]), text: `${pathText([...path, key])}: unknown key; ${hint}` };
    });
  }
  const value = valueAt(raw, path);
  const name = pathText(path) || 'the document';
  const missing = value === undefined ? 'is missing; ' : '';
  const got = value === undefined ? '' : `, got ${secretKey(path) ? 'something else' : show(value)}`;
  return [{ line: lineOf(path), text: `${name}: ${missing}expected ${expectation(issue)}${got}` }];
}

/** Leaves of our schemas say in their message what they expect; containers don't. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    if (issue.expected === 'object' || issue.expected === 'record') return 'a map of keys';
    if (issue.expected === 'array') return 'a list';
    return `a ${issue.expected}`;
  }
  return issue.message;
}

const secretKey = (path: Path) => ['password', 'token', 'key', 'chain', 'down'].includes(String(path.at(-1)));

/**
 * A section with nothing in it, such as `web:` alone, or one whose lines are all commented out, is there with its defaults;
 * what it can't do without is then missing, by name. A null that is written out is none: who writes `web: null` may mean off.
 */
function filled(value: unknown, schema: unknown, bare: (path: Path) => boolean, path: Path = []): unknown {
  const { shape, element, valueType } = unwrap(schema);
  if (value === null && !bare(path)) return null;
  if (value === null) return shape || valueType ? {} : element ? [] : null;
  if (Array.isArray(value))
    return element ? value.map((item, i) => filled(item, element, bare, [...path, i])) : value;
  if (typeof value !== 'object') return value;
  const map = value as Record<string, unknown>;
  for (const key of Object.keys(map)) {
    const inner = shape === undefined ? valueType : Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (inner !== undefined) map[key] = filled(map[key], inner, bare, [...path, key]);
  }
  return map;
}

function isBare(document: Document, path: Path): boolean {
  const node = document.getIn(path, true);
  return !isScalar(node) || (node.source ?? '') === '';
}

/** The keys that a schema knows at a path. */
function keysAt(schema: unknown, path: Path): string[] {
  let at = unwrap(schema);
  for (const step of path)
    at = unwrap(typeof step === 'number' ? at.element : (at.shape?.[step] ?? at.valueType));
  return Object.keys(at.shape ?? {});
}

/** What a map, a list or a record has in it. */
interface Container {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly valueType?: unknown;
}

function unwrap(schema: unknown): Container {
  let at = schema as { def?: { innerType?: unknown } } | undefined;
  while (at?.def?.innerType !== undefined) at = at.def.innerType as typeof at;
  return (at ?? {}) as Container;
}

const keyText = (key: unknown) => (isScalar(key) ? String(key.value) : String(key));
const startOf = (node: unknown) => (isNode(node) ? (node as Node).range?.[0] : undefined);
const byLine = (problems: readonly Problem[]) => [...problems].sort((a, b) => a.line - b.line);
