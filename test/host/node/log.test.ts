import test from 'ava';
import { LogBook } from '../../../host/control/log-book.js';
import { type Level, lineWriter, type Style } from '../../../host/node/log.js';

function logged(say: (log: LogBook) => void, style: Style = 'text', level: Level = 'info'): string {
  let text = '';
  const write = lineWriter(style, piece => {
    text += piece;
  });
  say(new LogBook({ level, now: () => 1_780_000_000_000, write }));
  return text;
}

function say(log: LogBook): void {
  log.debug('unsaid');
  log.info('begun', { port: 7683, tls: false, link: 'tcp:192.0.2.7', name: 'two words', none: undefined });
  log.error('failed');
}

test('one line an event, with its fields, from the level up', t => {
  t.is(
    logged(say),
    '2026-05-28T20:26:40.000Z info begun port=7683 tls=false link=tcp:192.0.2.7 name="two words"\n' +
      '2026-05-28T20:26:40.000Z error failed\n',
  );
  t.is(logged(say, 'journald', 'error'), '<3>failed\n');
  t.regex(logged(say, 'terminal', 'error'), /^\d\d:\d\d:\d\d .*error.* failed\n$/);
  t.regex(logged(say, 'terminal-plain', 'error'), /^\d\d:\d\d:\d\d error failed\n$/);
});

test('as JSON, one object a line; journald gets its priority before it', t => {
  const lines = logged(say, 'json').trimEnd().split('\n');
  t.deepEqual(
    lines.map(line => JSON.parse(line)),
    [
      {
        level: 'info',
        time: '2026-05-28T20:26:40.000Z',
        event: 'begun',
        port: 7683,
        tls: false,
        link: 'tcp:192.0.2.7',
        name: 'two words',
      },
      { level: 'error', time: '2026-05-28T20:26:40.000Z', event: 'failed' },
    ],
  );
  const [info, error] = logged(say, 'journald-json').trimEnd().split('\n');
  t.deepEqual(JSON.parse(info.replace(/^<6>/, '')), JSON.parse(lines[0]));
  t.deepEqual(JSON.parse(error.replace(/^<3>/, '')), JSON.parse(lines[1]));
});

for (const style of ['text', 'terminal-plain', 'journald', 'json', 'journald-json'] as const)
  test(`${style}: a value can begin no line and move no cursor`, t => {
    const text = logged(log => log.warn('x', { name: 'a\n<0>b \u001b[2J\u202e\u009b' }), style);
    t.is(text.split('\n').length, 2);
    t.true(text.includes('"a\\n<0>b \\u001b[2J\\u202e\\u009b"'), text);
    t.true(logged(log => log.warn('x', { name: 'y'.repeat(1e6) }), style).length < 3000);
  });
