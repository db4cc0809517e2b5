import test from 'ava';
import { CHECKS } from '../firmware/sensors/checks.js';
import { bundle } from './bundle.js';
import { XsWorker } from './worker.js';

test('sources tell of every failure of their peripherals on XS as on Node', async t => {
  const xs = await XsWorker.start();
  try {
    await xs.evaluate(await bundle('test/xs/side/sensors.js'));
    const { value: names } = await xs.call<string[]>('names');
    t.deepEqual(
      names,
      CHECKS.map(({ name }) => name),
    );
    for (let i = 0; i < names.length; i++) {
      t.deepEqual((await xs.call<string[]>('check', i)).value, [], names[i]);
    }
    t.log(`${names.length} checks`);
  } finally {
    await xs.end();
  }
});
