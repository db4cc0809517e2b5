import test from 'ava';
import { Evidence } from '../../../host/intake/evidence.js';
import { FaultyStorage, type Upset } from '../journal/faulty-storage.js';
import { settle, silent, TestClock } from '../journal/world.js';

const DEVICE = '00000000000000aa';

function fork(seq: number) {
  const bytes = Buffer.alloc(100, seq);
  return { device: DEVICE, epoch: 1, seq, verdict: 'fork', link: 'tcp', tag8: '0123456789abcdef', bytes };
}

test('what is beyond the limit counts as proven only once there is a durable pair', async t => {
  const storage = new FaultyStorage();
  const ports = { storage, clock: new TestClock(), log: silent };
  const evidence = await Evidence.open(ports, { directory: '/evidence', maxBytes: 0 });
  let go = () => {};
  let outcome: Upset = 'EIO';
  const synced = new Promise<void>(resolve => {
    go = resolve;
  });
  const happen = storage.happen.bind(storage);
  storage.happen = async (effect, path) => {
    if (effect === 'sync') await synced;
    return happen(effect, path);
  };
  storage.upset = effect => (effect === 'sync' ? outcome : undefined);
  const outcomes: string[] = [];
  const none = async () => undefined;
  for (const seq of [1, 2, 3]) void evidence.store(fork(seq), none).then(o => outcomes.push(`${seq} ${o}`));
  await settle();
  t.deepEqual(outcomes, [], 'nothing may be refused before something is durable');
  storage.upset = effect => {
    const now = effect === 'sync' ? outcome : undefined;
    if (effect === 'sync') outcome = undefined;
    return now;
  };
  go();
  await settle();
  t.deepEqual(outcomes.sort(), ['1 failed', '2 stored', '3 full']);
  t.is(evidence.status().stored, 1);
  t.is(evidence.status().beyond, 1);
});

test('a file of evidence that the medium gives no more does not keep the gateway from starting, and stays proof', async t => {
  const storage = new FaultyStorage();
  const ports = { storage, clock: new TestClock(), log: silent };
  const none = async () => undefined;
  const first = await Evidence.open(ports, { directory: '/evidence', maxBytes: 10_000 });
  t.is(await first.store(fork(1), none), 'stored');
  t.is(await first.store(fork(2), none), 'stored');
  const [bad] = [...storage.visible.keys()].filter(path => path.includes('-1-1-'));
  storage.upset = (effect, _, path): Upset => (effect === 'open' && path === bad ? 'EIO' : undefined);
  const again = await Evidence.open(ports, { directory: '/evidence', maxBytes: 10_000 });
  t.is(again.status().stored, 2);
  const written = storage.effects;
  t.is(await again.store(fork(1), none), 'stored');
  t.is(storage.effects, written, 'it has been stored once');
});
