/** Streams over the real socket: who reads slowly loses lines, and nobody else loses anything. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ControlHandlers, DecodedReading, StreamSink } from '../../../host/control/calls.js';
import { callGateway, followGateway } from '../../../host/control/client.js';
import { encodeMessage, MessageDecoder, readStreamMessage } from '../../../host/control/protocol.js';
import { ControlServer } from '../../../host/control/server.js';
import { Fault } from '../../../host/fault.js';
import { systemClock } from '../../../host/node/clock.js';
import { silentLog } from '../../../host/node/log.js';
import { connectUnix, UnixListener } from '../../../host/node/unix-socket.js';
import type { Link, LinkHandler } from '../../../host/ports.js';
import { FakeClock } from '../../support/fake-clock.js';
import { handlersWith } from './handlers.js';

const ports = { clock: systemClock, connect: connectUnix };
const NEVER = new Promise<void>(() => {});

async function serve(t: ExecutionContext, handlers: Partial<ControlHandlers>, clock = new FakeClock()) {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-streams-'));
  const path = join(directory, 'control.sock');
  const server = new ControlServer(
    { clock, log: silentLog, source: new UnixListener(path) },
    handlersWith(handlers),
  );
  await server.start();
  t.teardown(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  });
  return { path, server, clock };
}

const reading = (offset: number, pad = ''): DecodedReading => ({
  offset,
  at: 1,
  device: '00000000000000aa',
  epoch: 1,
  seq: offset,
  link: `tcp:${pad}`,
  records: [],
});

/** Handlers whose `tail` hands its sinks to the test. */
function tapped() {
  const sinks = new Set<StreamSink<DecodedReading>>();
  const tail: ControlHandlers['tail'] = () => sink => {
    sinks.add(sink);
    return () => void sinks.delete(sink);
  };
  const offer = (offset: number, pad = '') => {
    for (const sink of sinks) sink.offer(() => reading(offset, pad));
  };
  return { sinks, tail, offer };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
};

test('what comes is told in its order, to all who follow; whoever goes is forgotten', async t => {
  const { sinks, tail, offer } = tapped();
  const { path } = await serve(t, { tail });
  const got: number[][] = [[], []];
  let stop = () => {};
  const stopped = new Promise<void>(resolve => {
    stop = resolve;
  });
  const following = got.map(offsets =>
    followGateway(
      ports,
      path,
      'tail',
      {},
      {
        item: async item => void offsets.push(item.offset),
        lost: async () => t.fail(),
      },
      stopped,
    ),
  );
  await until(() => sinks.size === 2);
  for (let i = 0; i < 500; i++) offer(i);
  await until(() => got.every(offsets => offsets.length === 500));
  t.deepEqual(
    got[0],
    Array.from({ length: 500 }, (_, i) => i),
  );
  t.deepEqual(got[1], got[0]);
  stop();
  await Promise.all(following);
  await until(() => sinks.size === 0);
});

test('who reads nothing loses what does not fit, is told how much, and holds nobody up', async t => {
  const { sinks, tail, offer } = tapped();
  const { path, clock } = await serve(t, { tail });
  const offsets: number[] = [];
  let lost = 0;
  const decoder = new MessageDecoder(1 << 20, text => {
    const message = readStreamMessage(text);
    if (message === undefined) return; // the answer that says that it has begun
    if ('lost' in message) lost += message.lost;
    else offsets.push((message.item as DecodedReading).offset);
  });
  const slow = connect(path);
  t.teardown(() => slow.destroy());
  slow.write(encodeMessage({ call: 'tail', args: {} }));
  slow.pause();
  await until(() => sinks.size === 1);
  const pad = 'x'.repeat(1000);
  let made = 0;
  const [sink] = sinks;
  const SENT = 20_000;
  for (let i = 0; i < SENT; i++) {
    sink.offer(() => {
      made += 1;
      return reading(i, pad);
    });
    if (i % 1000 === 999) {
      clock.advance(1000);
      await callGateway(ports, path, 'status', {}); // is served meanwhile
    }
  }
  t.true(made < 4000, `${made} were made for a reader who takes none`);
  slow.on('data', bytes => decoder.push(bytes));
  slow.resume();
  await until(() => {
    clock.advance(1000);
    return lost + offsets.length === SENT;
  });
  t.is(offsets.length, made);
  offer(SENT);
  await until(() => offsets.at(-1) === SENT);
});

test('no more than people can follow is told in a second', async t => {
  const { sinks, tail, offer } = tapped();
  const { path, clock } = await serve(t, { tail });
  let items = 0;
  let lost = 0;
  void followGateway(
    ports,
    path,
    'tail',
    {},
    {
      item: async () => {
        items += 1;
      },
      lost: async count => {
        lost += count;
      },
    },
    NEVER,
  ).catch(() => {});
  await until(() => sinks.size === 1);
  for (let i = 0; i < 10_000; i++) offer(i);
  await until(() => items === 2000);
  clock.advance(1000);
  await until(() => lost === 8000);
  t.pass();
});

test('a stream that can not begin is a Fault; a gateway that goes ends it', async t => {
  const tap = tapped();
  const { path, server } = await serve(t, {
    tail: args => {
      if (args.device !== undefined) throw new Fault('device-unknown', 'no device is called x', 'look');
      return tap.tail(args);
    },
  });
  const reader = { item: async () => {}, lost: async () => {} };
  const error = await t.throwsAsync(followGateway(ports, path, 'tail', { device: 'x' }, reader, NEVER), {
    instanceOf: Fault,
    code: 'device-unknown',
  });
  t.is(error.remedy, 'look');
  const following = followGateway(ports, path, 'tail', {}, reader, NEVER);
  await until(() => tap.sinks.size === 1);
  await server.stop();
  await t.throwsAsync(following, { code: 'gateway-silent' });
  t.is(tap.sinks.size, 0);
});

test('who is let go over the answer to his request follows nothing', async t => {
  const { sinks, tail } = tapped();
  let handler!: LinkHandler;
  const link: Link = {
    name: 'control',
    pendingBytes: 0,
    send: () => handler.closed('does not read'),
    pause() {},
    resume() {},
    close() {},
  };
  const source = {
    async start(accept: (link: Link) => LinkHandler) {
      handler = accept(link);
    },
    async stop() {},
  };
  const server = new ControlServer(
    { clock: new FakeClock(), log: silentLog, source },
    handlersWith({ tail }),
  );
  await server.start();
  handler.data(encodeMessage({ call: 'tail', args: {} }));
  await new Promise(resolve => setImmediate(resolve));
  t.is(sinks.size, 0);
  await server.stop();
});

test('a request on a connection that a stream has ends it', async t => {
  const { sinks, tail } = tapped();
  const { path } = await serve(t, { tail });
  const socket = connect(path);
  const closed = new Promise(resolve => socket.on('close', resolve));
  socket.on('data', () => {});
  socket.write(encodeMessage({ call: 'tail', args: {} }));
  await until(() => sinks.size === 1);
  socket.write(encodeMessage({ call: 'status', args: {} }));
  await closed;
  t.is(sinks.size, 0);
});

test('those who follow leave room for those who ask', async t => {
  const { sinks, tail } = tapped();
  const { path } = await serve(t, { tail });
  const reader = { item: async () => {}, lost: async () => {} };
  const follow = () => followGateway(ports, path, 'tail', {}, reader, NEVER);
  const following = Array.from({ length: 12 }, () => follow().catch(() => {}));
  await until(() => sinks.size === 12);
  await t.throwsAsync(follow(), { code: 'busy' });
  await callGateway(ports, path, 'status', {});
  t.is(following.length, sinks.size);
});

test('so does one that comes together with that for the stream', async t => {
  const { sinks, tail } = tapped();
  const { path } = await serve(t, { tail });
  const socket = connect(path);
  const closed = new Promise(resolve => socket.on('close', resolve));
  socket.on('data', () => {});
  const both = [encodeMessage({ call: 'tail', args: {} }), encodeMessage({ call: 'status', args: {} })];
  socket.write(Buffer.concat(both));
  await closed;
  t.is(sinks.size, 0);
});

test('what the reader throws ends the stream', async t => {
  const { sinks, tail, offer } = tapped();
  const { path } = await serve(t, { tail });
  const following = followGateway(
    ports,
    path,
    'tail',
    {},
    {
      item: async () => {
        throw new Fault('output-closed', 'nobody reads');
      },
      lost: async () => {},
    },
    NEVER,
  );
  await until(() => sinks.size === 1);
  offer(1);
  await t.throwsAsync(following, { code: 'output-closed' });
});
