import test from 'ava';
import { SeededRandom } from '../../boards/virtual/random.js';
import { type MqttCallbacks, MqttLink } from '../../firmware/links/mqtt.js';
import { Output } from '../../firmware/links/output.js';
import { type SerialCallbacks, SerialLink } from '../../firmware/links/serial.js';
import { type TcpCallbacks, TcpLink } from '../../firmware/links/tcp.js';
import { UsbLink } from '../../firmware/links/usb.js';

function observer() {
  const told: string[] = [];
  const received: number[] = [];
  return {
    told,
    received,
    events: {
      up: () => void told.push('up'),
      down: () => void told.push('down'),
      received: (bytes: Uint8Array, from: number, to: number) =>
        void received.push(...bytes.subarray(from, to)),
      wake: () => {},
    },
  };
}

const bytes = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff);

test('output: whole messages, in order, around the end of the ring', t => {
  const output = new Output(10);
  const out: number[] = [];
  let next = 0;
  for (let round = 0; round < 50; round++) {
    const length = 1 + (round % 7);
    const fits = output.length + length <= 10;
    t.is(output.put(bytes(length, next), 0, length), fits);
    if (fits) next += length;
    const take = new Uint8Array(Math.min(output.length, 1 + (round % 3)));
    output.peek(take);
    output.drop(take.length);
    out.push(...take);
  }
  t.deepEqual(out, [...bytes(out.length)]);
  output.clear();
  t.is(output.length, 0);
});

/** A TCP link over sockets that do what a test tells them. */
function tcpWorld() {
  const world = observer();
  let nowMs = 0;
  const sockets: {
    on: TcpCallbacks;
    written: number[];
    closed: boolean;
    fails: boolean;
    incoming: number[];
  }[] = [];
  let refuse = false;
  const link = new TcpLink(
    {
      uptime: { nowMs: () => nowMs },
      random: new SeededRandom(1),
      open: (_address, _port, on) => {
        if (refuse) throw new Error('no memory');
        const socket = { on, written: [] as number[], closed: false, fails: false, incoming: [] as number[] };
        sockets.push(socket);
        return {
          read: (target: Uint8Array) => {
            if (target.length > socket.incoming.length) throw new Error('invalid');
            target.set(socket.incoming.splice(0, target.length));
          },
          write: (data: Uint8Array) => {
            if (socket.fails) throw new Error('would block');
            socket.written.push(...data);
          },
          close: () => {
            socket.closed = true;
          },
        };
      },
    },
    { host: '192.0.2.1', port: 7683 },
    world.events,
  );
  const pass = (ms: number) => {
    nowMs += ms;
    return link.poll();
  };
  return {
    ...world,
    link,
    sockets,
    pass,
    get socket() {
      return sockets[sockets.length - 1];
    },
    refuse(value: boolean) {
      refuse = value;
    },
    receive(data: readonly number[]) {
      this.socket.incoming.push(...data);
      this.socket.on.onReadable(this.socket.incoming.length);
    },
  };
}

test('tcp: nothing without a network; up at the first room; writes no more than there is room for', t => {
  const world = tcpWorld();
  t.is(world.link.poll(), Number.POSITIVE_INFINITY);
  t.false(world.link.send(bytes(4), 0, 4));
  world.link.network(true);
  t.is(world.pass(0), 40_000);
  t.is(world.sockets.length, 1);
  world.socket.on.onWritable(700);
  t.deepEqual(world.told, ['up']);
  t.true(world.link.send(bytes(1000), 0, 1000));
  t.is(world.socket.written.length, 700);
  world.socket.on.onWritable(700);
  t.deepEqual(world.socket.written, [...bytes(1000)]);
  t.true(world.link.send(bytes(8000), 0, 8000));
  t.false(world.link.send(bytes(2000), 0, 2000), 'bounded');
  world.receive([...bytes(1300)]);
  t.deepEqual(world.received, [...bytes(1300)]);
});

test('tcp: a connection that fails, hangs, falls silent or takes nothing is closed and made again, ever later', t => {
  const world = tcpWorld();
  world.refuse(true);
  world.link.network(true);
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) pauses.push(world.pass(pauses.at(-1) ?? 0));
  t.true(
    pauses.every(
      (pause, i) => pause >= Math.min(250 * 2 ** i, 15_000) && pause <= Math.min(500 * 2 ** i, 30_000),
    ),
    String(pauses),
  );
  world.refuse(false);
  world.pass(30_000);
  t.is(world.sockets.length, 1);
  const first = world.socket;
  world.pass(40_000);
  t.true(first.closed, 'never connected');
  first.on.onWritable(100);
  t.deepEqual(world.told, [], 'a late word of an attempt that was given up');
  world.pass(30_000);
  world.socket.on.onWritable(100);
  world.receive([1]);
  world.socket.on.onError();
  t.false(world.socket.closed, 'not in its own callback');
  t.false(world.link.send(bytes(1), 0, 1));
  const again = world.pass(0);
  t.true(world.socket.closed && again <= 500, 'what answered is tried soon');
  t.deepEqual(world.told, ['up', 'down']);
  world.pass(500);
  world.socket.on.onWritable(100);
  world.pass(149_999);
  t.true(world.link.connected);
  world.pass(1);
  t.false(world.link.connected, 'silent');
  world.pass(2_000);
  world.socket.on.onWritable(10);
  world.link.send(bytes(50), 0, 50);
  t.is(world.socket.written.length, 10);
  world.receive([1]);
  world.pass(29_999);
  t.true(world.link.connected);
  world.pass(1);
  t.false(world.link.connected, 'takes nothing');
  world.pass(2_000);
  world.socket.on.onWritable(100);
  world.socket.fails = true;
  world.link.send(bytes(50), 0, 50);
  world.pass(0);
  t.true(world.socket.closed, 'a write that throws');
  world.pass(4_000);
  world.socket.on.onWritable(100);
  world.pass(0);
  t.deepEqual(world.socket.written, [], 'what an old connection did not take is not sent on a new one');
  world.link.network(false);
  t.is(world.pass(0), Number.POSITIVE_INFINITY);
  t.true(world.socket.closed);
  world.link.network(true);
  world.pass(0);
  world.socket.on.onWritable(100);
  world.link.close();
  t.true(world.socket.closed);
  t.is(world.pass(60_000), Number.POSITIVE_INFINITY);
  t.is(world.told.filter(word => word === 'up').length, world.told.filter(word => word === 'down').length);
});

test('mqtt: subscribes when there is room, is up when the broker grants it, gathers frames into one message', t => {
  const world = observer();
  const clients: { on: MqttCallbacks; messages: { data: number[]; topic: string }[]; closed: boolean }[] = [];
  let nowMs = 0;
  const link = new MqttLink(
    {
      uptime: { nowMs: () => nowMs },
      random: new SeededRandom(1),
      open: on => {
        const client = { on, messages: [] as { data: number[]; topic: string }[], closed: false };
        clients.push(client);
        return {
          read: () => undefined,
          write: (data, { operation, topic, items }) => {
            client.messages.push({ data: [...data], topic: operation === 8 ? `+${items![0].topic}` : topic });
            return 900 - data.length;
          },
          close: () => {
            client.closed = true;
          },
        };
      },
    },
    '00000000000000a1',
    world.events,
  );
  link.network(true);
  link.poll();
  clients[0].on.onControl({ operation: 2 });
  clients[0].on.onWritable(20);
  t.is(clients[0].messages.length, 0);
  clients[0].on.onWritable(900);
  t.deepEqual(clients[0].messages, [{ data: [], topic: '+sovereign/link/00000000000000a1/down' }]);
  t.false(link.connected);
  clients[0].on.onControl(9, { operation: 9, payload: [0] });
  t.true(link.connected, 'also with the arguments of the typings');
  link.send(bytes(3), 0, 3);
  link.send(bytes(3, 3), 0, 3);
  t.is(clients[0].messages.length, 1);
  link.poll();
  t.deepEqual(clients[0].messages[1], { data: [...bytes(6)], topic: 'sovereign/link/00000000000000a1/up' });
  link.send(bytes(2000), 0, 2000);
  link.poll();
  clients[0].on.onWritable(900);
  clients[0].on.onWritable(900);
  t.deepEqual(
    clients[0].messages.slice(2).flatMap(({ data }) => data),
    [...bytes(2000)],
  );
  clients[0].on.onClose();
  link.poll();
  t.true(clients[0].closed);

  nowMs += 1000;
  link.poll();
  clients[1].on.onWritable(900);
  clients[1].on.onControl({ operation: 9, payload: [128] });
  link.poll();
  t.true(clients[1].closed, 'the broker does not let it subscribe');
  t.deepEqual(world.told, ['up', 'down']);
});

test('serial: room as the port says it; a write that fails has taken nothing; a port that does not open is tried again', t => {
  const world = observer();
  let nowMs = 0;
  let opens = 0;
  let on!: SerialCallbacks;
  const written: number[] = [];
  let fails = 0;
  const incoming = [...bytes(100)];
  const open = (callbacks: SerialCallbacks) => {
    if (opens++ === 0) throw new Error('in use');
    on = callbacks;
    return {
      read: (target: Uint8Array) => {
        const some = incoming.splice(0, target.length);
        target.set(some);
        return some.length;
      },
      write: (data: Uint8Array) => {
        if (fails-- > 0) throw new Error('output full');
        written.push(...data);
        on.onWritable(16); // from within the write
      },
      close: () => {},
    };
  };
  const link = new SerialLink(open, { uptime: { nowMs: () => nowMs } }, world.events);
  t.is(link.poll(), 1000);
  nowMs = 1000;
  t.is(link.poll(), Number.POSITIVE_INFINITY);
  t.deepEqual(world.told, ['up']);
  t.true(link.send(bytes(100), 0, 100));
  t.is(written.length, 0, 'no room was spoken of');
  fails = 2;
  for (let i = 0; i < 40; i++) {
    nowMs += 20;
    link.poll();
    if (i === 5) on.onWritable(64);
  }
  t.deepEqual(written, [...bytes(100)]);
  on.onReadable(100);
  t.deepEqual(world.received, [...bytes(100)]);
  t.false(link.send(bytes(3000), 0, 3000));
  link.close();
  t.deepEqual(world.told, ['up', 'down']);
  t.is(link.poll(), Number.POSITIVE_INFINITY);
});

test('usb: opened, read in bounded portions, opened by another, closed', t => {
  const world = observer();
  const usb = { at: 0, waiting: 0, written: 0 };
  const link = new UsbLink(
    {
      opened: () => usb.at,
      read: target => {
        const count = Math.min(target.length, usb.waiting);
        usb.waiting -= count;
        return count;
      },
      write: (_source, from, to) => {
        usb.written += to - from;
        return true;
      },
    },
    world.events,
  );
  t.is(link.poll(), 100);
  t.false(link.send(bytes(2), 0, 2));
  usb.at = 1;
  usb.waiting = 5000;
  t.is(link.poll(), 0, 'there is more');
  t.is(link.poll(), 10);
  t.is(world.received.length, 5000);
  t.true(link.send(bytes(2), 0, 2));
  usb.at = 2;
  link.poll();
  usb.at = 0;
  link.poll();
  t.deepEqual(world.told, ['up', 'down', 'up', 'down']);
  link.close();
  t.is(link.poll(), Number.POSITIVE_INFINITY);
});
