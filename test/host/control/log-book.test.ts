import test from 'ava';
import { LogBook } from '../../../host/control/log-book.js';
import type { LogLine } from '../../../host/ports.js';

function book(level: LogLine['level'] = 'info') {
  const written: LogLine[] = [];
  let now = 0;
  const log = new LogBook({ level, now: () => ++now, write: line => void written.push(line) });
  return { log, written, events: () => written.map(({ event }) => event) };
}

test('the level can be changed while it runs', t => {
  const { log, events } = book('warn');
  log.info('a');
  log.level = 'debug';
  log.debug('b');
  log.level = 'error';
  log.warn('c');
  log.error('d');
  t.deepEqual(events(), ['b', 'd']);
});

test('who follows gets every line from then on; the last ones are kept, some hundreds of them', t => {
  const { log } = book();
  for (let i = 0; i < 2000; i++) log.info(`before-${i}`);
  const followed: LogLine[] = [];
  const stop = log.follow(line => void followed.push(line));
  log.info('after', { n: 1 });
  stop();
  log.info('later');
  t.deepEqual(followed, [{ at: 2001, level: 'info', event: 'after', fields: { n: 1 } }]);
  t.deepEqual(
    log.recent(3).map(({ event }) => event),
    ['before-1999', 'after', 'later'],
  );
  t.deepEqual(log.recent(0), []);
  t.is(log.recent(1e9).length, 500);
});

test('secrets are hidden: fields that are named like one, and texts that were declared to be one', t => {
  const { log, written } = book();
  log.conceal('hunter2-hunter2');
  log.conceal('');
  log.conceal('ab');
  const error = 'mqtt://gw:hunter2-hunter2@broker said no to hunter2-hunter2; ab';
  log.warn('refused', { password: 'x', chain: '00ff', Token: 't', error, keyring: 'file', sessionKey: 1 });
  t.deepEqual(written[0].fields, {
    password: '[hidden]',
    chain: '[hidden]',
    Token: '[hidden]',
    error: 'mqtt://gw:[hidden]@broker said no to [hidden]; ab',
    keyring: 'file',
    sessionKey: 1,
  });
});

test('a value is cut to what a person would read', t => {
  const { log, written } = book();
  log.info('long', { text: 'y'.repeat(1e6) });
  t.true(String(written[0].fields.text).length < 2100);
});
