import test from 'ava';
import { bundle } from './bundle.js';
import { TROUBLES } from './side/trouble.js';
import { XsWorker } from './worker.js';

for (const { name, run } of TROUBLES) test.serial(`${name}, on Node`, t => t.deepEqual(run(), []));

test.serial('the same on XS', async t => {
  const xs = await XsWorker.start();
  try {
    await xs.evaluate(await bundle('test/xs/side/troubles.js'));
    for (let i = 0; i < TROUBLES.length; i++) {
      t.deepEqual((await xs.call<string[]>('trouble', i)).value, [], TROUBLES[i].name);
    }
  } finally {
    await xs.end();
  }
});
