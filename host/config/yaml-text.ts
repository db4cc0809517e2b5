/**
 * One YAML document from a text that may be anything. The library composes nested collections by recursion, and a
 * text of brackets alone would end the process; so the depth is watched while the text is cut into tokens, before
 * anything is composed. Keys are plain words, each once in its map.
 */
import {
  Composer,
  type Document,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type LineCounter,
  Parser,
  parse,
} from 'yaml';

/** Collections within each other, and what the parser puts between them. */
const MAX_STACK = 64;

export interface TextProblem {
  /** In UTF-16 units. */
  readonly offset: number;
  readonly text: string;
}

export interface YamlText {
  /** Absent when the text is no YAML, and has no values worth judging. */
  readonly document?: Document.Parsed;
  readonly problems: readonly TextProblem[];
}

/** A text as a value: bare where YAML takes it for that text, and for no number or other word. */
export function scalarText(text: string): string {
  return /^[A-Za-z0-9./][\w./-]*$/.test(text) && parse(text) === text ? text : JSON.stringify(text);
}

/**
 * @param schema `failsafe` takes every scalar as a string
 * @param maxProblems looks for no more of them
 */
export function parseYaml(
  text: string,
  schema: 'core' | 'failsafe',
  lines: LineCounter,
  maxProblems: number,
): YamlText {
  const tokens = tokensOf(text, lines);
  if ('offset' in tokens) return { problems: [tokens] };
  const composer = new Composer({ schema, lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (second !== undefined)
    return { problems: [{ offset: second.range[0], text: 'a second document begins here; expected one' }] };
  const found = [...document.errors, ...document.warnings].slice(0, maxProblems);
  const problems = found.map(error => ({ offset: error.pos[0], text: yamlMessage(error) }));
  if (document.errors.length > 0) return { problems };
  const wrong = keyProblems(document, maxProblems);
  problems.push(...wrong.problems);
  return wrong.plain ? { document, problems } : { problems };
}

function tokensOf(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MAX_STACK)
      return { offset: parser.offset, text: 'nested more deeply than anything here needs to be' };
  }
  tokens.push(...parser.end());
  return tokens;
}

/** `plain`: all keys that were looked at are words. */
function keyProblems(
  document: Document.Parsed,
  maxProblems: number,
): { problems: TextProblem[]; plain: boolean } {
  const problems: TextProblem[] = [];
  let plain = true;
  const visit = (node: unknown) => {
    if (problems.length >= maxProblems) return;
    if (isSeq(node)) for (const item of node.items) visit(isPair(item) ? item.value : item);
    if (!isMap(node)) return;
    const keys = new Set<string>();
    for (const { key, value } of node.items) {
      const offset = (key as { range?: readonly number[] } | null)?.range?.[0] ?? node.range?.[0] ?? 0;
      const word = isScalar(key) && typeof key.value !== 'object' ? String(key.value) : undefined;
      plain &&= word !== undefined;
      if (word === undefined || word === '__proto__')
        problems.push({ offset, text: `${word ?? 'a collection'} is no key; expected a plain word` });
      else if (keys.has(word))
        problems.push({ offset, text: `${word}: stands twice in this map; keep one of the two` });
      else keys.add(word);
      if (problems.length >= maxProblems) return;
      visit(value);
    }
  };
  visit(document.contents);
  return { problems, plain: plain && problems.length < maxProblems };
}

/** What the library says, without the piece of the text that it ends with: that may be a key or a password. */
export function yamlMessage(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/: (".*|\S*)$/s, '');
  return text.charAt(0).toLowerCase() + text.slice(1);
}
