import { CounterPin, DigitalPin } from '../../../boards/virtual/peripherals/pins.js';
import { DigitalPulses, MachineState, Pulses } from '../../../firmware/sensors/index.js';
import { Bench, type Check, told } from './bench.js';

function press(settings: object = {}, level = 0) {
  const pin = new DigitalPin(level);
  const bench = new Bench(({ uptime, wake }) => {
    return new MachineState({ name: 'press', uptime, open: pin.open, wake, ...settings });
  });
  return { pin, bench };
}

function flow(settings: object = {}, bits = 32) {
  const pin = new CounterPin(bits);
  const base = { name: 'flow', periodMs: 10_000, open: pin.open };
  return { pin, bench: new Bench(() => new Pulses({ ...base, ...settings })) };
}

function meter(settings: object = {}) {
  const pin = new DigitalPin(1);
  const bench = new Bench(({ uptime }) => {
    const open = () => new DigitalPulses({ uptime, open: pin.open, activeLow: true, ...settings });
    return new Pulses({ name: 'meter', periodMs: 10_000, open });
  });
  return { pin, bench };
}

export const DIGITAL_CHECKS: readonly Check[] = [
  {
    name: 'state: one reading at the start and one for each transition, with both edges’ time',
    run(found) {
      const { pin, bench } = press();
      const [start] = bench.run(1_234);
      found.same('start', start.values, { press: false, 'press/at': 0, 'press/at s': 0 });
      pin.set(1);
      bench.run(5_000);
      pin.set(0);
      bench.run(100);
      found.same('readings', told(bench.readings, 'press'), [false, true, false]);
      const [, on, off] = bench.readings;
      found.same('on', [on.values['press/at s'], on.values['press/since s']], [1.234, 0]);
      found.same('off', [off.values['press/at'], off.values['press/since']], [6.234, 1.234]);
      found.same('nothing else', on.values['press/glitches'], undefined);
      found.same('sealed once settled', on.atMs, 1_254);
    },
  },
  {
    name: 'state: active low',
    run(found) {
      const { pin, bench } = press({ activeLow: true }, 1);
      bench.run(1_000);
      pin.set(0);
      bench.run(1_000);
      found.same('states', told(bench.readings, 'press'), [false, true]);
    },
  },
  {
    name: 'state: contact bounce is one transition, at its first edge; a burst that ends where it began is a glitch',
    run(found) {
      const { pin, bench } = press({ debounceMs: 20 });
      bench.run(1_000);
      for (const level of [1, 0, 1, 0, 1]) {
        pin.set(level);
        bench.run(7);
      }
      bench.run(1_000);
      found.same('one', told(bench.readings, 'press'), [false, true]);
      found.same('at the first edge', bench.readings[1].values['press/at'], 1);
      for (const level of [0, 1, 0, 1]) {
        pin.set(level);
        bench.run(5);
      }
      bench.run(1_000);
      found.same('still one', bench.readings.length, 2);
      pin.set(0);
      bench.run(1_000);
      found.same('one glitch', bench.readings[2].values['press/glitches count'], 1);
      pin.set(1);
      bench.run(1_000);
      found.same('it is told once', bench.readings[3].values['press/glitches'], undefined);
    },
  },
  {
    name: 'state: exact times although nobody polls in between',
    run(found) {
      const { pin, bench } = press({ wake: undefined });
      bench.run(500);
      const { source } = bench;
      for (const [atMs, level] of [
        [600, 1],
        [700, 0],
        [900, 1],
      ]) {
        bench.nowMs = atMs;
        pin.set(level);
      }
      bench.nowMs = 990;
      found.same('ready', source.poll(bench.nowMs), 0);
      bench.jump(0);
      const readings = bench.run(100).map(({ values }) => [values['press/at'], values['press/since']]);
      found.same('at and since', readings, [
        [0.6, 0],
        [0.7, 0.6],
        [0.9, 0.7],
      ]);
    },
  },
  {
    name: 'state: a burst larger than the queue: the latest states are kept, and how many are not is told',
    run(found) {
      const { pin, bench } = press({ queued: 4 });
      bench.run(500);
      bench.quiet = true;
      for (let i = 0; i < 10; i++) {
        pin.set(1 - (i % 2));
        bench.run(100);
      }
      bench.quiet = false;
      const readings = bench.run(1_000);
      found.same('four', told(readings, 'press'), [true, false, true, false]);
      found.same('dropped', readings[0].values['press/dropped count'], 6);
      found.same('told once', readings[1].values['press/dropped'], undefined);
      const { values } = readings[0];
      found.same('still exact', [values['press/at'], values['press/since']], [1.1, 1]);
    },
  },
  {
    name: 'state: edges that came while JavaScript was busy, and ones that never came',
    run(found) {
      const { pin, bench } = press();
      bench.run(500);
      pin.busy = true;
      pin.set(1);
      pin.set(0);
      pin.release();
      bench.run(2_000);
      found.same('a glitch is no transition', bench.readings.length, 1);
      pin.deaf = true;
      pin.set(1);
      const [reading] = bench.run(2_000);
      found.same('found by looking', reading?.values.press, true);
      found.same('and said', reading?.values['press/missed count'], 1);
      found.same('with the glitch before', reading?.values['press/glitches'], 1);
    },
  },
  {
    name: 'state: told again after maxInterval, with the same times',
    run(found) {
      const { bench } = press({ maxIntervalMs: 60_000 });
      const readings = bench.run(121_000);
      found.same('states', told(readings, 'press'), [false, false, false]);
      found.same(
        'at',
        readings.map(r => r.values['press/at']),
        [0, 0, 0],
      );
    },
  },
  {
    name: 'state: a pin that never rests is a fault, until it does',
    run(found) {
      const { pin, bench } = press({ restlessMs: 3_000 });
      bench.run(1_000);
      for (let i = 0; i < 1_000; i++) {
        pin.set(1 - pin.level);
        bench.run(10);
      }
      found.same('unsteady', told(bench.readings, 'press'), [false, 'unsteady']);
      pin.set(1);
      const [back] = bench.run(3_000);
      found.same('rests', [back?.values.press, back?.values['press/fault']], [true, 'none']);
    },
  },
  {
    name: 'state: an input that fails, and one that was never there',
    run(found) {
      const { pin, bench } = press();
      bench.run(1_000);
      pin.state = 'gone';
      found.same('gone', told(bench.run(30_000), 'press'), ['no-answer']);
      found.same('closed', pin.opened, 0);
      pin.state = 'works';
      pin.set(1);
      const back = bench.run(61_000);
      found.same(
        'its state, and that the time is when it was found',
        told(back, 'press').includes(true),
        true,
      );
      found.same('missed', back.map(r => r.values['press/missed']).includes(1), true);
      found.same('recovery', back.map(r => r.values['press/fault']).includes('none'), true);
      const never = press();
      never.pin.state = 'gone';
      found.same('never', told(never.bench.run(1_000), 'press'), ['not-found']);
    },
  },
  {
    name: 'state: what a pin did as it failed is no transition, and a machine that is as it was is no glitch',
    run(found) {
      const { pin, bench } = press();
      bench.run(990);
      pin.set(1);
      pin.state = 'gone';
      bench.run(30_000);
      pin.state = 'works';
      pin.level = 0;
      bench.run(61_000);
      pin.set(1);
      bench.run(1_000);
      found.same('readings', told(bench.readings, 'press'), [false, 'no-answer', false, true]);
      for (const { values } of bench.readings) {
        found.same('counts', [values['press/glitches'], values['press/missed']], [undefined, undefined]);
      }
    },
  },
  {
    name: 'state: time that is set back',
    run(found) {
      const { pin, bench } = press();
      bench.run(100_000);
      bench.jump(-90_000);
      pin.set(1);
      found.same('goes on', told(bench.run(2_000), 'press'), [true]);
    },
  },
  {
    name: 'pulses: counts since boot and rate',
    run(found) {
      const { pin, bench } = flow();
      bench.run(1_500);
      for (let i = 0; i < 20; i++) {
        pin.pulse(25);
        bench.run(1_000);
      }
      const [first, second] = bench.readings;
      found.same('start', [first.values['flow count'], first.values['flow/rate 1/s']], [0, 0]);
      found.same('later', [second.values.flow, second.values['flow/rate']], [225, 25]);
    },
  },
  {
    name: 'pulses: a counter that wraps, up and down, and one with more codes than counts',
    run(found) {
      const { pin, bench } = flow({ wrapCodes: 65_536, codesPerCount: 4 }, 16);
      bench.run(1_500);
      for (let i = 0; i < 29; i++) {
        pin.pulse(30_000);
        bench.run(1_000);
      }
      found.same('up', bench.readings.at(-1)?.values.flow, (30_000 * 29) / 4);
      for (let i = 0; i < 29; i++) {
        pin.pulse(-30_000);
        bench.run(1_000);
      }
      bench.run(10_000);
      found.same('and down', bench.readings.at(-1)?.values.flow, 0);
    },
  },
  {
    name: 'pulses: a counter that fails is opened anew, and the total goes on',
    run(found) {
      const { pin, bench } = flow();
      bench.run(1_000);
      pin.pulse(100);
      bench.run(10_000);
      pin.state = 'gone';
      found.same('gone', told(bench.run(30_000), 'flow'), ['no-answer']);
      pin.state = 'works';
      bench.run(61_000);
      pin.pulse(11);
      bench.run(10_000);
      found.same('total', bench.readings.at(-1)?.values.flow, 111);
      found.true(
        'recovery',
        bench.readings.some(r => r.values['flow/fault'] === 'none'),
      );
      found.same('one open', pin.opened, 1);
    },
  },
  {
    name: 'pulses over Digital: bounce at both ends, coalesced edges, a pin that is gone',
    run(found) {
      const { pin, bench } = meter();
      bench.run(1_000);
      for (let i = 0; i < 10; i++) {
        for (const level of [0, 1, 0]) {
          pin.set(level);
          bench.run(1);
        }
        bench.run(40);
        for (const level of [1, 0, 1]) {
          pin.set(level);
          bench.run(1);
        }
        bench.run(40);
      }
      pin.busy = true;
      pin.set(0);
      pin.set(1);
      pin.release();
      bench.run(10_000);
      found.same('eleven', bench.readings.at(-1)?.values.meter, 11);
      pin.state = 'gone';
      found.same('gone', told(bench.run(11_000), 'meter'), ['no-answer']);
    },
  },
];
