import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Quarantine } from '../../../host/intake/quarantine.js';
import { silentLog } from '../../../host/node/log.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { FakeClock } from '../../support/fake-clock.js';
import { temporary } from './rig.js';

const MiB = 1024 * 1024;

async function filled(t: ExecutionContext, count: number, maxBytes = 64 * MiB) {
  const directory = temporary(t);
  const clock = new FakeClock();
  const quarantine = await Quarantine.open(
    { storage: new NodeStorage(), clock, log: silentLog },
    {
      directory,
      maxBytes,
      perReasonBytes: maxBytes,
      perDeviceBytes: maxBytes,
      unauthenticatedPerDayBytes: 0,
      reserveBytes: 0,
    },
  );
  t.teardown(() => quarantine.close());
  for (let i = 0; i < count; i++) {
    clock.advance(1);
    const reason = i % 3 === 0 ? 'fork' : 'mac';
    quarantine.add({ reason, link: `tcp:${i}`, authentic: true }, Uint8Array.of(i & 0xff, i >> 8), 0, 2);
    if (i % 100 === 99) await quarantine.flush();
  }
  return { directory, quarantine };
}

const numbers = (items: readonly { bytes: Uint8Array }[]) =>
  items.map(({ bytes }) => bytes[0] + 256 * bytes[1]);

test('newest first, page by page, over all files', async t => {
  const { directory, quarantine } = await filled(t, 1000, 640 * 1024);
  t.true(readdirSync(directory).length > 2);
  const lines = await quarantine.lines();
  const got: number[] = [];
  let after = '';
  for (;;) {
    const { items, more } = await lines.list(70, after, '');
    got.push(...numbers(items));
    after = items.at(-1)!.id;
    if (!more) break;
  }
  t.deepEqual(
    got,
    Array.from({ length: 1000 }, (_, i) => 999 - i),
  );
  const forks = await lines.list(5, '', 'fork');
  t.deepEqual(numbers(forks.items), [999, 996, 993, 990, 987]);
  t.true(forks.more);
  t.deepEqual(await lines.list(5, '', 'nothing'), { items: [], more: false });
});

test('an id names the same bytes for as long as they are kept; others name nothing', async t => {
  const { quarantine } = await filled(t, 20);
  const lines = await quarantine.lines();
  const { items } = await lines.list(20, '', '');
  for (const item of items) t.deepEqual(await lines.find(item.id), item);
  const [file, at] = items[3].id.split('-').map(Number);
  for (const id of [`${file}-${at + 1}`, `${file}-999999`, '77-0']) t.is(await lines.find(id), undefined, id);
});

test('a torn line, and lines of another making, are passed over', async t => {
  const { directory, quarantine } = await filled(t, 3);
  await quarantine.flush();
  const [name] = readdirSync(directory);
  appendFileSync(
    join(directory, name),
    '{"at":1,"reas\n[1]\nnull\n{"at":"x"}\n{"at":5,"reason":"mac","bytes":"AQA"}\n{"at":6',
  );
  const { items, more } = await (await quarantine.lines()).list(10, '', '');
  t.deepEqual(numbers(items), [1, 2, 1, 0]);
  t.is(items[0].link, '');
  t.false(more);
});
