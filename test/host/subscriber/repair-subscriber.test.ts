/** The whole subscriber, with a broker and a clock of the test's: what it asks for, prints, reports and remembers. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { nodeDigest } from '../../../host/node/digest.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { Subscriber } from '../../../host/subscriber/subscriber.js';
import {
  compare,
  decodeRequest,
  encodeFetched,
  type FetchRequest,
  type FetchResult,
  type Missing,
} from '../../../host/uplink/fetch/format.js';
import { encodeStatus } from '../../../host/uplink/status.js';
import { fetchedTopic, sealedTopic, statusTopic } from '../../../host/uplink/topics.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeBroker } from '../uplink/fake-broker.js';
import { anyRandom, TestDevice, TestLog, until } from '../uplink/support.js';
import { TestKeyring, TestSink, temporaryDirectory } from './support.js';

async function start(
  t: ExecutionContext,
  directory: string,
  keyring: TestKeyring,
  from: 'start' | 'now' = 'start',
) {
  const clock = new FakeClock();
  const broker = new FakeBroker();
  broker.automatic = true;
  const sink = new TestSink();
  const ports = { broker, storage: new NodeStorage(), clock, random: anyRandom, log: new TestLog() };
  const subscriber = await Subscriber.open(
    { ...ports, digest: nodeDigest, keyring, sink },
    {
      broker: {
        url: 'mqtt://x',
        clientId: 'me',
        protocol: '5',
        keepAliveSeconds: 30,
        connectTimeoutMs: 1000,
      },
      stateDirectory: directory,
      readings: 0,
      from,
    },
  );
  const ended = subscriber.run();
  const close = () => {
    subscriber.close();
    return ended;
  };
  t.teardown(close);
  await until(() => sink.told('connection').length === 1, 'online');
  const sealed = async (device: TestDevice, ...all: Uint8Array[]) => {
    await Promise.all(all.map(bytes => broker.deliver(sealedTopic('cellar', device.id), bytes)));
  };
  const status = (head: number) =>
    broker.deliver(
      statusTopic('cellar', 'gw'),
      encodeStatus({
        gateway: 'gw',
        site: 'cellar',
        state: 'online',
        cursor: head,
        head,
        drained: true,
        fetch: true,
        at: 0,
      }),
    );
  /** The next request for one range, bounded or open, answering the others with nothing on the way. */
  const asked = (open: boolean): FetchRequest | undefined => {
    for (let passedMs = 0; passedMs < 60_000; passedMs += 250) {
      clock.advance(250);
      const sent = broker.sent.shift();
      if (sent === undefined) continue;
      const request = decodeRequest(sent.message.payload) as FetchRequest;
      if (request.ranges.some(({ to }) => (to === undefined) === open)) return request;
      void answer(request, () => []);
    }
    return undefined;
  };
  const answer = async (request: FetchRequest, missing: (result: number) => Missing[]) => {
    const results = request.ranges.map(
      (range, i): FetchResult => ({
        range,
        sent: 0,
        reached: range.to ?? range.from,
        last: undefined,
        missing: missing(i),
      }),
    );
    const fetched = { gateway: 'gw', site: 'cellar', id: request.id, done: true, busy: false, results };
    await broker.deliver(fetchedTopic('cellar', 'gw'), encodeFetched(fetched));
  };
  return { clock, broker, sink, sealed, status, asked, answer, close };
}

test('what came before the first reading is wanted in silence; it is told when it is gone', async t => {
  for (const why of ['never', 'removed'] as const) {
    const device = new TestDevice(1);
    const running = await start(t, await temporaryDirectory(t), new TestKeyring(device));
    const { sink, sealed, status, asked, answer } = running;
    const bytes = Array.from({ length: 8 }, (_, i) => device.seal(i));
    await status(5);
    await sealed(device, bytes[6], bytes[7]);
    await status(9);
    await status(9);
    const request = asked(false)!;
    t.deepEqual(
      request.ranges.filter(({ to }) => to !== undefined),
      [{ device: device.id, from: [0, 0], to: [1, 6] }],
    );
    // 2 to 5 are there, 4 is dropped again by the broker.
    await sealed(device, bytes[2], bytes[3], bytes[5]);
    await answer(request, () => [{ from: [0, 0], to: [1, 2], why }]);
    t.deepEqual(sink.places, ['01/1/6', '01/1/7', '01/1/2', '01/1/3', '01/1/5']);
    const again = asked(false)!;
    t.deepEqual(
      again.ranges.filter(({ to }) => to !== undefined),
      [{ device: device.id, from: [1, 4], to: [1, 5] }],
    );
    await sealed(device, bytes[4]);
    await answer(again, () => []);
    t.is(sink.places.at(-1), '01/1/4');
    t.deepEqual(sink.told('gap'), why === 'never' ? [] : ['final 0/0-1/2']);
    await running.close();
  }
});

test('a hole in what came before is told when it is final', async t => {
  const device = new TestDevice(1);
  const { sink, sealed, status, asked, answer } = await start(
    t,
    await temporaryDirectory(t),
    new TestKeyring(device),
  );
  const bytes = Array.from({ length: 8 }, (_, i) => device.seal(i));
  await status(5);
  await sealed(device, bytes[6]);
  await status(9);
  await status(9);
  const request = asked(false)!;
  await sealed(device, bytes[0], bytes[1], bytes[4], bytes[5]);
  await answer(request, i =>
    request.ranges[i].to === undefined
      ? []
      : [
          { from: [0, 0], to: [1, 0], why: 'never' },
          { from: [1, 2], to: [1, 4], why: 'never' },
        ],
  );
  t.deepEqual(sink.told('gap'), ['final 1/2-1/4']);
  const report = sink.reports.find(({ kind }) => kind === 'gap');
  t.deepEqual(report?.kind === 'gap' && report.reasons, ['never reached gw']);
});

test('from now on: nothing of before, but what was missed since, and tails', async t => {
  const [device, silent] = [new TestDevice(1), new TestDevice(2)];
  const { sealed, status, asked, answer } = await start(
    t,
    await temporaryDirectory(t),
    new TestKeyring(device, silent),
    'now',
  );
  const bytes = Array.from({ length: 8 }, (_, i) => device.seal(i));
  await status(5);
  await sealed(device, bytes[3], bytes[5]);
  const request = asked(false)!;
  t.deepEqual(request.ranges[0], { device: device.id, from: [1, 4], to: [1, 5] });
  await sealed(device, bytes[4]);
  await answer(request, () => []);
  const tail = request.ranges.find(({ to }) => to === undefined) ?? asked(true)?.ranges[0];
  t.deepEqual(tail, { device: device.id, from: [1, 6], to: undefined });
});

test('a restart goes on where it was: with gaps, and with what came before', async t => {
  const device = new TestDevice(1);
  const directory = await temporaryDirectory(t);
  const keyring = new TestKeyring(device);
  const bytes = Array.from({ length: 12 }, (_, i) => device.seal(i));
  const first = await start(t, directory, keyring);
  await first.sealed(device, bytes[6], bytes[9]);
  await first.sealed(device, bytes[1]);
  t.deepEqual(first.sink.told('gap'), ['provisional 1/7-1/9']);
  await first.close();
  // Once from what was appended, once from a snapshot.
  await (await start(t, directory, keyring)).close();
  const second = await start(t, directory, keyring);
  await second.status(5);
  const request = second.asked(false)!;
  t.deepEqual(
    request.ranges.filter(({ to }) => to !== undefined),
    [{ device: device.id, from: [0, 0], to: [1, 9] }],
  );
  await second.sealed(device, ...bytes.slice(0, 9));
  for (let i = 0; i < 2; i++) await second.status(9);
  await second.answer(request, () => [{ from: [0, 0], to: [1, 0], why: 'never' }]);
  // What came before is wanted in silence still.
  t.deepEqual(second.sink.told('gap'), ['closed 1/8-1/9']);
  await second.close();
});

test('a state with a damaged line: what it may have forgotten is asked for', async t => {
  const device = new TestDevice(1);
  const directory = await temporaryDirectory(t);
  const keyring = new TestKeyring(device);
  const bytes = Array.from({ length: 9 }, (_, i) => device.seal(i));
  const first = await start(t, directory, keyring);
  for (const one of bytes) await first.sealed(device, one);
  await first.close();
  const [name] = await readdir(directory);
  const text = await readFile(join(directory, name), 'utf8');
  await writeFile(join(directory, name), text.replace('1,4,5,0,0', '1,4,5,0,1'));
  const second = await start(t, directory, keyring);
  await second.status(5);
  const request = second.asked(false)!;
  t.true(request.ranges.some(({ to }) => compare(to ?? [0, 0], [1, 5]) === 0));
  await second.sealed(device, bytes[4]);
  await second.answer(request, i =>
    request.ranges[i].from[0] === 0 ? [{ from: [0, 0], to: [1, 0], why: 'never' }] : [],
  );
  t.deepEqual(second.sink.places, ['01/1/4']);
  t.deepEqual(second.sink.told('gap'), ['closed 1/4-1/5']);
});

test('made-up epochs cost what they may; devices where they are expected are verified all the same', async t => {
  const [near, ...far] = Array.from({ length: 13 }, (_, i) => new TestDevice(i + 1));
  const directory = await temporaryDirectory(t);
  const { sink, sealed, status, asked } = await start(t, directory, new TestKeyring(near, ...far));
  await status(5);
  for (const device of [near, ...far]) await sealed(device, device.seal(1));
  t.is(sink.printed.length, 13);
  // Somebody without keys claims epochs far ahead, of one device after the other.
  for (let number = 2; number <= 13; number++) {
    const bytes = new TestDevice(number, 4000).seal(1);
    bytes[bytes.length - 1] ^= 1;
    await sealed(far[number - 2], bytes);
  }
  t.deepEqual(
    sink.told('refused'),
    Array.from({ length: 12 }, (_, i) => (i < 8 ? 'mac' : 'budget')),
  );
  await sealed(near, near.seal(2));
  near.startEpoch(4);
  await sealed(near, near.seal(3));
  t.is(sink.printed.length, 15);
  // What may have been authentic is asked for.
  const request = asked(true);
  t.true(request?.ranges.some(({ device }) => device === far[11].id));
});
