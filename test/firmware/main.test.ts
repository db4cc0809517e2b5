import test from 'ava';
import { nobleDigest } from '../../boards/virtual/digest.js';
import { VirtualMachine } from '../../boards/virtual/machine.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { virtualSources } from '../../boards/virtual/sources.js';
import type { BoardPins } from '../../firmware/board.js';
import { keyCheck, type Provision } from '../../firmware/seal/index.js';
import type { Source } from '../../firmware/sensors/source.js';
import { bundleMain, type Globals, Host, natives, programOf } from './main-board.js';

const bytes = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => from + i);
const keysOf = (from: number): Provision => ({
  id: bytes(8, from),
  chain: bytes(32, from + 50),
  down: bytes(32, from + 100),
  settings: { name: `probe-${from}` },
});
const provision = keysOf(1);

let script: string;
test.before(async () => {
  script = await bundleMain();
});

/** A board out of its box, with the firmware on it and the cable in. */
function powerOn(seed = 1) {
  const machine = new VirtualMachine(seed);
  const globals: Globals = {};
  const host = new Host(machine, provision);
  machine.start(programOf(script, machine, globals));
  machine.usb.open();
  return { machine, host, globals };
}

/** A board that has its keys and a session with its gateway. */
function running(source?: (machine: VirtualMachine) => Source) {
  const board = powerOn();
  const { machine, host } = board;
  host.provision(provision);
  host.run(5_000);
  if (source !== undefined) machine.sources = () => [source(machine)];
  host.boot();
  host.run(10_000);
  return board;
}

test('a board without keys answers, takes keys once, starts anew and delivers', t => {
  const { machine, host } = powerOn();
  host.run(200);
  t.true(host.text.includes('on virtual: open for provisioning'), host.text);
  t.like(host.who(), { board: 'virtual', state: 'unprovisioned', open: true });
  const { id, chain, down } = provision;
  const check = keyCheck(nobleDigest, id, chain, down);
  t.deepEqual(host.provision(provision), { ok: true, id, check });
  t.is(machine.chip.ended, '', 'there is time for the answer to leave');
  t.deepEqual(host.provision(provision), { ok: true, id, check }, 'and for the question to come again');
  t.like(host.provision(keysOf(2)), { ok: false });
  host.run(5_000);
  t.is(machine.chip.ended, 'restart');

  host.boot();
  host.run(30_000);
  t.is(machine.chip.ended, '');
  const { accepted, position, hellos, verdicts } = host.gateway;
  t.like(hellos.at(-1), { restart: 'reset', epoch: 0 });
  t.deepEqual(host.reasons, ['reset']);
  t.true(accepted.length > 20, `${accepted.length} readings`);
  t.like(verdicts, { gap: 0, fork: 0, early: 0 });
  t.true(position!.seq >= accepted.length - 1);
  // Receipted readings are not sent again, unlike those that are not.
  host.boot();
  host.run(2_000);
  t.like(host.gateway.hellos.at(-1), { restart: 'power-on', epoch: 1 });
  t.true(host.gateway.hellos.at(-1)!.backlog < 10);
  t.true(host.text.includes('on virtual: provisioned'));
});

test('a provisioned board takes no keys, unless its button is held at start', t => {
  const { machine, host } = running();
  t.like(host.who(), { state: 'provisioned', open: false, id: provision.id });
  t.deepEqual(host.provision(keysOf(2)), { ok: false, reason: 'provisioned already' });
  host.run(5_000);
  t.is(machine.chip.ended, '');
  t.true(host.gateway.open);

  machine.flash.image.fill(0, 0, 2 * 4096); // both key slots
  host.boot();
  t.like(host.who(), { state: 'fault', open: false });
  t.deepEqual(host.provision(keysOf(2)), { ok: false, reason: 'fault already' });
  host.run(200_000);
  t.is(machine.chip.ended, '', 'a board that waits for help is no board that hangs');

  machine.button = true;
  host.boot();
  t.like(host.who(), { state: 'fault', open: true });
  t.like(host.provision(keysOf(2)), { ok: true, id: keysOf(2).id });
  host.run(5_000);
  machine.button = false;
  host.boot();
  t.like(host.who(), { state: 'provisioned', open: false, id: keysOf(2).id });
});

test('an exception in a source ends the program, and the next start reading names it', t => {
  let failing = false;
  const { machine, host } = running(() => {
    const [source] = virtualSources(new SeededRandom(1), 1);
    const poll = source.poll.bind(source);
    source.poll = nowMs => {
      if (failing) throw new TypeError('no such register');
      return poll(nowMs);
    };
    return source;
  });
  t.true(host.gateway.open);
  failing = true;
  host.run(10_000);
  t.is(machine.chip.ended, 'restart');
  failing = false;
  host.boot();
  host.run(10_000);
  t.is(host.gateway.hellos.at(-1)?.restart, 'fault: TypeError: no such register');
  t.deepEqual(host.reasons, ['reset', 'fault: TypeError: no such register']);
});

test('what the engine gives up for is named as well', t => {
  const { machine, host, globals } = running();
  machine.interrupt(() => globals.abort?.('memory full'));
  t.is(machine.chip.ended, 'restart');
  host.boot();
  host.run(10_000);
  t.is(host.reasons.at(-1), 'fault: memory full');
});

test('a program that fails at each start waits longer and longer before it takes another epoch', t => {
  const { machine, host } = running();
  machine.sources = () => {
    throw new Error('no such pin');
  };
  for (let i = 0; i < 3; i++) {
    host.boot();
    host.run(4_000);
    t.is(machine.chip.ended, '', 'not at once');
    host.run(2_000);
    t.is(machine.chip.ended, 'restart');
  }
  machine.sources = () => [];
  host.boot();
  const before = host.gateway.hellos.length;
  host.run(1_500);
  t.is(host.gateway.hellos.length, before);
  host.run(10_000);
  t.is(host.gateway.hellos.at(-1)?.restart, 'fault: Error: no such pin');
});

test('a source that hangs lets the watchdog bite, and the next start reading says so', t => {
  let hangs = false;
  const { machine, host } = running(({ chip }) => ({
    kind: 0,
    poll() {
      while (hangs) chip.advance(1);
      return 1000;
    },
    write: () => undefined,
  }));
  hangs = true;
  const beforeMs = machine.chip.nowMs;
  host.run(60_000);
  t.is(machine.chip.ended, 'watchdog');
  t.true(machine.chip.nowMs - beforeMs < 10_000);
  hangs = false;
  host.boot();
  host.run(10_000);
  t.is(host.gateway.hellos.at(-1)?.restart, 'watchdog');
  t.is(host.reasons.at(-1), 'watchdog');
});

test('a board whose sensors and link say nothing for long is not restarted for that', t => {
  const { machine, host } = running(() => ({ kind: 0, poll: () => 30_000, write: () => undefined }));
  const { board } = machine.modules['boards/this/pins'] as {
    board: { -readonly [K in keyof BoardPins]: BoardPins[K] };
  };
  const { cable } = board;
  // As a UART does, and unlike USB, which has to be asked.
  board.cable = (ports, events) => {
    const link = cable(ports, events);
    return {
      get connected() {
        return link.connected;
      },
      send: (buffer, from, to) => link.send(buffer, from, to),
      close: () => link.close(),
      poll() {
        link.poll();
        return Number.POSITIVE_INFINITY;
      },
    };
  };
  host.boot();
  host.run(200_000);
  t.is(machine.chip.ended, '');
});

test('a loop that turns and sends nothing lets the watchdog bite', t => {
  const { machine, host } = running();
  host.reads = false; // the port is open, and nothing leaves
  const beforeMs = machine.chip.nowMs;
  host.run(600_000);
  t.is(machine.chip.ended, 'watchdog');
  t.true(machine.chip.nowMs - beforeMs >= 60_000);
  host.reads = true;
  host.boot();
  host.run(30_000);
  t.is(host.reasons.at(-1), 'watchdog');
});

test('a power cut in a flash write: the board starts again, in an epoch of its own, and delivers', t => {
  for (let steps = 0; steps < 4096; steps += 371) {
    const { machine, host } = running();
    machine.flash.cutAfter(steps, steps);
    host.gateway.answering = false; // what is not receipted goes to flash
    host.run(120_000);
    t.is(machine.chip.ended, 'power', `${steps}`);
    host.gateway.answering = true;
    host.boot();
    host.run(30_000);
    t.is(machine.chip.ended, '');
    t.is(host.reasons.at(-1), 'power-on');
    const { verdicts, accepted } = host.gateway;
    t.like(verdicts, { fork: 0, stale: 0 });
    t.like(accepted.at(-1), { epoch: 1 }, `${steps}`);
  }
});

test('the twins keep the limits of the native modules', t => {
  const { machine } = powerOn();
  const { chip, digest, random, usb } = natives(machine);
  t.throws(() => chip.startWatchdog(0), { instanceOf: RangeError });
  t.throws(() => chip.startWatchdog(8_301), { instanceOf: RangeError });
  t.false(chip.readRetained(new Uint8Array(161)));
  t.false(chip.writeRetained(new Uint8Array(161)));
  t.is(chip.micros(), 1000 * chip.uptimeMs());
  t.throws(() => usb.write(new Uint8Array(4), 0, 5), { instanceOf: RangeError });
  t.false(usb.write(new Uint8Array(4097), 0, 4097), 'whole or not at all');
  const [first, second] = [new Uint8Array(8), new Uint8Array(8)];
  random.fill(first);
  random.fill(second, true);
  t.notDeepEqual(first, second);
  t.true(machine.entropy.radioOn);
  const out = new Uint8Array(32);
  t.throws(() => digest.sha256(first, 0, 9, out, 0), { instanceOf: RangeError });
  t.throws(() => new digest.Hmac(first).compute(first, 0, 8, out, 1), { instanceOf: RangeError });

  machine.usb.close();
  t.is(usb.opened(), 0);
  t.false(machine.usb.put(first));
  machine.usb.open();
  const opened = usb.opened();
  machine.usb.open();
  t.true(usb.opened() > opened, 'another program has it');
});

test('retained memory outlives a restart and no power cut', t => {
  const { chip } = new VirtualMachine(1);
  const read = new Uint8Array(3);
  chip.writeRetained(Uint8Array.of(1, 2, 3));
  t.throws(() => chip.restart());
  t.throws(() => chip.readRetained(read), undefined, 'a chip that has ended runs nothing');
  chip.boot();
  t.is(chip.startCause(), 2);
  t.true(chip.readRetained(read));
  t.deepEqual(read, Uint8Array.of(1, 2, 3));
  chip.advance(5);
  t.is(chip.uptimeMs(), 5);
  chip.boot();
  t.is(chip.uptimeMs(), 0);
  t.is(chip.startCause(), 0);
  chip.readRetained(read);
  t.notDeepEqual(read, Uint8Array.of(1, 2, 3));
});
