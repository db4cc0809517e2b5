import test from 'ava';
import { Output, printable } from '../../../host/cli/output.js';
import { fakeTerminal } from './commands.js';

const ESC = '\u001b';

test('in a pipe: plain lines, tabs, no titles, no progress', async t => {
  const { terminal, written } = fakeTerminal();
  const output = new Output(terminal);
  output.progress('half');
  await output.line(output.style('red', 'a'));
  await output.table([{ title: 'A' }, { title: 'B' }], [['1', '2']]);
  await output.note('by the way');
  t.deepEqual(written, { out: 'a\n1\t2\n', err: 'by the way\n' });
});

test('on a terminal: aligned and coloured, unless NO_COLOR says no', async t => {
  const columns = [{ title: 'NAME' }, { title: 'COUNT', align: 'right' as const }, { title: 'X' }];
  const coloured = fakeTerminal({ terminal: true });
  const output = new Output(coloured.terminal);
  await output.table(columns, [
    [output.style('red', 'a'), '1', 'x'],
    ['long', '100', ''],
  ]);
  const text = coloured.written.out;
  t.true(text.includes(`${ESC}[31ma${ESC}[39m`));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const bare = text.replace(/\u001b\[\d+m/g, '');
  t.is(bare, 'NAME  COUNT  X\na         1  x\nlong    100  \n');

  const plain = fakeTerminal({ terminal: true, environment: { NO_COLOR: '1' } });
  await new Output(plain.terminal).line(new Output(plain.terminal).style('red', 'a'));
  t.is(plain.written.out, 'a\n');
});

test('a table of as many rows as a quarantine holds', async t => {
  const { terminal, written } = fakeTerminal({ terminal: true });
  await new Output(terminal).table([{ title: 'ID' }], Array(200_000).fill(['1']));
  t.is(written.out.split('\n').length, 200_002);
});

test('--json is the same on a terminal', async t => {
  const { terminal, written } = fakeTerminal({ terminal: true });
  const output = new Output(terminal, { json: true });
  t.false(output.pretty);
  await output.object({ a: 1, b: [`${ESC}`] });
  t.is(written.out, '{"a":1,"b":["\\u001b"]}\n');
});

test('progress is one line that gives way to others', async t => {
  const { terminal, written } = fakeTerminal({ terminal: true, columns: 10 });
  const output = new Output(terminal);
  output.progress('0123456789');
  output.progress('0123456789');
  await output.note('hi');
  output.progress('');
  t.is(written.err, `\r${ESC}[K01234567…\r${ESC}[Khi\n01234567…\r${ESC}[K`);
});

test('a reader that goes away is a fault for who waits, and nothing for who does not', async t => {
  const { terminal } = fakeTerminal();
  const gone = {
    ...terminal.out,
    write: () => Promise.reject(Object.assign(new Error(), { code: 'EPIPE' })),
  };
  const output = new Output({ ...terminal, out: gone });
  await t.throwsAsync(output.line('x'), { code: 'output-closed' });
  void output.line('y'); // an unhandled rejection would fail this test
  await new Promise(resolve => setImmediate(resolve));
});

test('text from outside can do nothing but be read', t => {
  t.is(printable('a\u001b[31m\n\u202eb\u0085é'), 'a\\u001b[31m\\u000a\\u202eb\\u0085é');
});
