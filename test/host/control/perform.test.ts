import test from 'ava';
import { LogBook } from '../../../host/control/log-book.js';
import { perform } from '../../../host/control/perform.js';
import { TestLog } from '../uplink/support.js';
import { handlersWith } from './handlers.js';

test('what a gateway is told stands in its log once, with who told it; what it is asked does not', async t => {
  const log = new TestLog();
  const said: unknown[] = [];
  log.info = (event: string, fields?: object) => void said.push([event, fields]);
  const handlers = handlersWith({
    'log-level': ({ level }) => ({ level, before: 'info' }),
    pause: () => {
      throw new Error('broken');
    },
  });
  await perform(handlers, { call: 'status', args: {} }, log);
  await perform(handlers, { call: 'pause', args: {} }, log);
  await perform(handlers, { call: 'log-level', args: { level: 'debug' } }, log);
  await perform(handlers, { call: 'log-level', args: { level: 'warn' } }, log, '192.0.2.7');
  t.deepEqual(said, [
    ['control', { call: 'log-level', what: 'debug', peer: undefined }],
    ['control', { call: 'log-level', what: 'warn', peer: '192.0.2.7' }],
  ]);
});

test('what a gateway is told is logged whatever the level, also that nothing else is to be logged', async t => {
  const events: string[] = [];
  const log = new LogBook({ level: 'info', now: () => 0, write: ({ event }) => void events.push(event) });
  const handlers = handlersWith({
    'log-level': ({ level }) => {
      log.level = level;
      return { level, before: 'info' };
    },
  });
  await perform(handlers, { call: 'log-level', args: { level: 'error' } }, log);
  log.warn('something-else');
  await perform(handlers, { call: 'log-level', args: { level: 'warn' } }, log);
  t.deepEqual(events, ['control', 'control']);
});
