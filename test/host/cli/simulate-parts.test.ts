import test from 'ava';
import { Output, type Terminal } from '../../../host/cli/output.js';
import { ReceiptLines } from '../../../host/cli/simulate/receipts.js';
import { Turnstile } from '../../../host/cli/simulate/turnstile.js';

/** A terminal whose reader takes text only when asked to. */
function slowTerminal(): {
  terminal: Terminal;
  texts: string[];
  read: () => void;
  fail: (error: Error) => void;
} {
  const texts: string[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const sink = {
    terminal: false,
    columns: 80,
    write: (text: string) =>
      new Promise<void>((resolve, reject) => {
        texts.push(text);
        waiting.push({ resolve, reject });
      }),
  };
  return {
    terminal: { out: sink, err: sink, environment: () => undefined },
    texts,
    read: () => waiting.shift()?.resolve(),
    fail: error => waiting.shift()?.reject(error),
  };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

test('lines wait for a slow reader, and devices are held back before there are too many', async t => {
  const { terminal, texts, read } = slowTerminal();
  const told: boolean[] = [];
  const lines = new ReceiptLines(
    new Output(terminal, { json: true }),
    full => told.push(full),
    () => t.fail(),
  );
  lines.add('d', 1, 0, 'x');
  await turn();
  t.deepEqual(texts, ['{"device":"d","epoch":1,"seq":0,"sha256":"x"}\n']);
  for (let i = 1; i <= 5_000; i++) lines.add('d', 1, i, 'x');
  t.deepEqual(told, [true]);
  await turn();
  t.is(texts.length, 1);
  read();
  await turn();
  t.is(texts.length, 2);
  t.deepEqual(told, [true]);
  read();
  await lines.flush();
  t.deepEqual(told, [true, false]);
  t.is(texts.join('').split('\n').length, 5_002);
});

test('a reader that went away is reported', async t => {
  const { terminal, fail } = slowTerminal();
  const failures: unknown[] = [];
  const lines = new ReceiptLines(
    new Output(terminal, { json: true }),
    () => {},
    error => failures.push(error),
  );
  lines.add('d', 1, 0, 'x');
  await turn();
  fail(new Error('EPIPE'));
  await lines.flush();
  t.is((failures[0] as { code?: string }).code, 'output-closed');
});

test('a turnstile lets so many in, in order, and forgets who gave up', t => {
  const turnstile = new Turnstile(2);
  const inside: string[] = [];
  const leave = ['a', 'b', 'c', 'd', 'e'].map(name => turnstile.enter(() => inside.push(name)));
  t.deepEqual(inside, ['a', 'b']);
  leave[2]();
  leave[0]();
  leave[0]();
  t.deepEqual(inside, ['a', 'b', 'd']);
  leave[1]();
  t.deepEqual(inside, ['a', 'b', 'd', 'e']);
});
