import test, { type ExecutionContext } from 'ava';
import { FrameType } from '../../../firmware/seal/index.js';
import { systemClock } from '../../../host/node/clock.js';
import { SerialSource } from '../../../host/node/serial.js';
import type { Log, LogFields } from '../../../host/ports.js';
import { Cable, openPort, until } from '../../support/cable.js';
import { needs } from '../../support/needs.js';
import { VirtualPeer } from '../../support/virtual-peer.js';
import { identity, Rig, temporary } from '../intake/rig.js';

function recorder() {
  const events: { event: string; fields: LogFields }[] = [];
  const add = (event: string, fields: LogFields = {}) => void events.push({ event, fields });
  const log: Log = { debug: add, info: add, warn: add, error: add };
  return { events, log };
}

async function setUp(t: ExecutionContext, plugged = true) {
  const socat = needs(t, 'socat');
  if (socat === undefined) return undefined;
  const cable = new Cable(socat, temporary(t));
  if (plugged) await cable.plug();
  t.teardown(() => cable.pull());
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { events, log } = recorder();
  const source = new SerialSource({ port: cable.gatewayEnd, baud: 115_200 }, systemClock, log);
  await rig.intake.listen(source);
  return { cable, device, rig, source, events };
}

async function attach(
  t: ExecutionContext,
  cable: Cable,
  peer: { current?: VirtualPeer },
  device = identity(),
) {
  const port = await openPort(cable.deviceEnd);
  t.teardown(() => port.isOpen && port.close());
  const one = new VirtualPeer(device, bytes => port.write(Buffer.from(bytes)));
  port.on('data', (chunk: Buffer) => one.receive(chunk));
  peer.current = one;
  return { port, peer: one };
}

test('a device on a serial port: challenge, hello, readings, receipts; pulled in the middle of a frame, and back', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { cable, device, rig, source, events } = world;
  const sealed = device.sealMany(0, 60);
  const first = await attach(t, cable, {}, device);
  first.peer.knock(); // what was sent before the port was opened may be lost
  await until(() => {
    if (first.peer.challenges.length === 0) first.peer.knock();
    rig.clock.advance(5);
    return first.peer.challenges.length > 0;
  });
  first.peer.hello();
  first.peer.readings(sealed.slice(0, 20));
  await until(() => first.peer.receipt?.seq === 19);
  t.is(rig.intake.status().links[0].name, `serial:${cable.gatewayEnd}`);

  const frame = first.peer.frame(FrameType.reading, sealed[20].bytes);
  first.peer.raw(frame.subarray(0, 40));
  await new Promise<void>(resolve => first.port.drain(() => resolve()));
  await cable.pull();
  await until(() => !source.connected);
  t.is(rig.intake.status().links.length, 0);
  await until(() => events.some(({ event }) => event === 'serial-absent'));

  await cable.plug();
  const second = await attach(t, cable, {}, device);
  await until(() => source.connected);
  await until(() => {
    rig.clock.advance(5);
    return second.peer.challenges.length > 0;
  });
  second.peer.raw(frame.subarray(40)); // the board was still at it
  second.peer.hello({ next: 60, oldest: { epoch: 0, seq: 20 } });
  await until(() => second.peer.receipt?.seq === 19);
  second.peer.readings(sealed.slice(20));
  await until(() => second.peer.receipt?.seq === 59);
  t.deepEqual(
    rig.story(),
    sealed.map(({ seq }) => `0/${seq}`),
  );
  t.is(events.filter(({ event }) => event === 'serial-open').length, 2);
});

test('a port that is not there is no error: it is opened when it comes, and said once', async t => {
  const world = await setUp(t, false);
  if (world === undefined) return;
  const { cable, source, events } = world;
  t.false(source.connected);
  t.regex(source.problem, /plug the board in/);
  await new Promise(resolve => setTimeout(resolve, 700)); // a second attempt, as vain
  t.is(events.filter(({ event }) => event === 'serial-absent').length, 1);
  await cable.plug();
  await until(() => source.connected);
  t.is(source.problem, '');
});

test('stop ends the link and the attempts', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { cable, rig, source } = world;
  t.true(source.connected);
  await rig.intake.stop();
  t.false(source.connected);
  t.is(rig.intake.status().links.length, 0);
  const port = await openPort(cable.gatewayEnd); // free again
  await new Promise<void>(resolve => port.close(() => resolve()));
});
