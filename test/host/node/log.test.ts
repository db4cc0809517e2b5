import test from 'ava';
import { type LogOptions, lineLog } from '../../../host/node/log.js';

function logged(options: Partial<LogOptions>, say: (log: ReturnType<typeof lineLog>) => void): string {
  let text = '';
  const write = (line: string) => {
    text += line;
  };
  say(lineLog({ level: 'info', style: 'plain', now: () => 1_780_000_000_000, write, ...options }));
  return text;
}

test('one line an event, with its fields, from the level up', t => {
  const say = (log: ReturnType<typeof lineLog>) => {
    log.debug('unsaid');
    log.info('begun', { port: 7683, tls: false, link: 'tcp:192.0.2.7', name: 'two words', none: undefined });
    log.error('failed');
  };
  t.is(
    logged({}, say),
    '2026-05-28T20:26:40.000Z info begun port=7683 tls=false link=tcp:192.0.2.7 name="two words"\n' +
      '2026-05-28T20:26:40.000Z error failed\n',
  );
  t.is(logged({ style: 'journald', level: 'error' }, say), '<3>failed\n');
  t.regex(logged({ style: 'terminal', level: 'error' }, say), /^\d\d:\d\d:\d\d .*error.* failed\n$/);
});

test('a value can begin no line and move no cursor', t => {
  const text = logged({}, log => log.warn('x', { name: 'a\n<0>b \u001b[2J\u202e\u009b' }));
  t.is(text.split('\n').length, 2);
  t.true(text.endsWith('name="a\\n<0>b \\u001b[2J\\u202e\\u009b"\n'));
  t.true(logged({}, log => log.warn('x', { name: 'y'.repeat(1e6) })).length < 3000);
});
