import { I2cBus } from '../../../boards/virtual/peripherals/i2c-bus.js';
import { Tmp117, Tmp117Chip } from '../../../boards/virtual/peripherals/tmp117.js';
import { Measurement, type SensorDriver, tmp117 } from '../../../firmware/sensors/index.js';
import { Bench, type Check, told } from './bench.js';

interface Sample {
  power?: number | string | null;
}

/** A driver that gives what it is told to. */
class Scripted implements SensorDriver<Sample> {
  static next: () => Sample | undefined;
  static closed = 0;
  static configured: object | undefined;
  static options: { extra?: number; sensor: { io: unknown } };

  constructor(options: typeof Scripted.options) {
    Scripted.options = options;
    Scripted.closed = 0;
  }

  configure(options: object): void {
    Scripted.configured = options;
  }

  sample(): Sample | undefined {
    return Scripted.next();
  }

  close(): void {
    Scripted.closed++;
    throw new Error('not even that');
  }
}

/** A driver that answers later, or never. */
class Later implements SensorDriver<Sample> {
  static answers: ((error: unknown, sample?: Sample) => void)[];

  sample(answer: (error: unknown, sample?: Sample) => void): undefined {
    Later.answers.push(answer);
  }
}

class NoIo {}

const sensor = { io: NoIo };
const watts = (sample: Sample) => sample.power as number;

function meter(answer: () => Sample | undefined, settings: object = {}) {
  Scripted.next = answer;
  const fields = [{ name: 'load', unit: 'W', min: 0, max: 3_000, read: watts }] as const;
  const base = { name: 'load', periodMs: 1_000, driver: Scripted, sensor, fields };
  return new Bench(() => new Measurement({ ...base, ...settings }));
}

function later() {
  Later.answers = [];
  const fields = [{ name: 'load', unit: 'W', min: 0, max: 3_000, read: watts }] as const;
  const base = { name: 'load', periodMs: 1_000, sensor, fields, answerMs: 500 };
  return new Bench(() => new Measurement({ ...base, driver: Later }));
}

const HOLES: readonly [string, () => Sample | undefined, string][] = [
  ['nothing', () => undefined, 'no-value'],
  ['null', () => null as unknown as undefined, 'no-value'],
  ['no field', () => ({}), 'no-value'],
  ['a null field', () => ({ power: null }), 'no-value'],
  ['a text', () => ({ power: '12' }), 'no-value'],
  ['NaN', () => ({ power: Number.NaN }), 'no-value'],
  ['infinity', () => ({ power: Number.POSITIVE_INFINITY }), 'out-of-range'],
  ['too little', () => ({ power: -0.001 }), 'out-of-range'],
  ['too much', () => ({ power: 3_001 }), 'out-of-range'],
];

export const DRIVER_CHECKS: readonly Check[] = [
  {
    name: 'any driver in one line: options, configuration and a field',
    run(found) {
      const bench = meter(() => ({ power: 12.5 }), { options: { extra: 7 }, configuration: { rate: 3 } });
      found.same('value', bench.run(500)[0].values['load W'], 12.5);
      found.same('options', Scripted.options.extra, 7);
      found.same('configuration', Scripted.configured, { rate: 3 });
    },
  },
  ...HOLES.map(
    ([what, answer, word]): Check => ({
      name: `a driver that gives ${what}: ${word}`,
      run(found) {
        const bench = meter(answer);
        found.same('fault', told(bench.run(500), 'load'), [word]);
        found.same('the driver is closed', Scripted.closed, 1);
        Scripted.next = () => ({ power: 1 });
        found.same('and works again', told(bench.run(1_500), 'load')[0], 1);
      },
    }),
  ),
  {
    name: 'a failure that goes on is told again after maxInterval, with the present reason',
    run(found) {
      const bench = meter(() => ({}), { maxIntervalMs: 30_000 });
      bench.run(500);
      Scripted.next = () => {
        throw new Error('NACK');
      };
      const readings = bench.run(100_000);
      found.same('words', [...new Set(told(readings, 'load'))], ['no-answer']);
      found.true(`one in 30 s, not ${readings.length}`, readings.length >= 1 && readings.length <= 3);
    },
  },
  {
    name: 'a sensor that fails every other time gives no more readings than its period',
    run(found) {
      let n = 0;
      const bench = meter(() => (n++ % 2 === 0 ? { power: 1 } : {}));
      const readings = bench.run(60_000);
      found.true(`${readings.length} readings`, readings.length <= 62 && readings.length >= 30);
      const faults = readings.filter(r => r.fault).length;
      found.true(`each failure is told, not ${faults}`, faults >= 15);
      found.same(
        'and each recovery',
        readings.filter(r => r.values['load/fault'] === 'none').length >= 15,
        true,
      );
    },
  },
  {
    name: 'a driver with a callback: waits for its answer',
    run(found) {
      const bench = later();
      bench.run(100);
      Later.answers[0](null, { power: 5 });
      found.same('value', told(bench.run(100), 'load'), [5]);
      bench.run(900);
      found.same('asked again', Later.answers.length, 2);
    },
  },
  {
    name: 'a driver with a callback: silence and errors are faults, a late answer goes nowhere',
    run(found) {
      const bench = later();
      found.same('silence', told(bench.run(600), 'load'), ['no-answer']);
      Later.answers[0](null, { power: 5 });
      bench.run(1_000);
      Later.answers[0](null, { power: 6 });
      found.same('late', told(bench.run(100), 'load'), []);
      Later.answers[1](new Error('bad CRC'));
      bench.run(100);
      found.same('still the first failure', bench.readings.length, 1);
      bench.run(2_050);
      Later.answers[2](null, { power: 7 });
      const [back] = bench.run(100);
      found.same('back', [back?.values.load, back?.values['load/fault']], [7, 'none']);
    },
  },
  {
    name: 'threshold: a small change is not told before maxInterval, a large one at once',
    run(found) {
      let power = 100;
      const bench = meter(() => ({ power }), { threshold: 5, maxIntervalMs: 60_000 });
      found.same('the first', told(bench.run(500), 'load'), [100]);
      power = 104.9;
      found.same('small', told(bench.run(30_000), 'load'), []);
      power = 105;
      found.same('large', told(bench.run(1_000), 'load'), [105]);
      power = 100;
      found.same('back, as large', told(bench.run(1_000), 'load'), [100]);
      power = 101;
      found.same('the interval is over', told(bench.run(60_500), 'load'), [101]);
    },
  },
  {
    name: 'threshold: a recovery is told although the value is the same',
    run(found) {
      const bench = meter(() => ({ power: 100 }), { threshold: 5 });
      bench.run(1_500);
      const same = Scripted.next;
      Scripted.next = () => ({});
      bench.run(1_000);
      Scripted.next = same;
      const [back] = bench.run(2_000);
      found.same('told', [back?.values.load, back?.values['load/fault']], [100, 'none']);
    },
  },
  {
    name: 'threshold: a slow drift is told against what was told, not against the sample before',
    run(found) {
      let power = 100;
      const bench = meter(() => ({ power: power++ }), { threshold: 5 });
      found.same('every fifth', told(bench.run(11_500), 'load'), [100, 105, 110]);
    },
  },
  {
    name: 'configure: what the gateway sets, what it leaves out, and what is out of bounds',
    run(found) {
      let power = 0;
      const bench = meter(() => ({ power: power++ }), { periodMs: 60_000 });
      bench.run(500);
      const { source } = bench;
      found.same('period', source.configure?.({ periodMs: 2_000 }), '');
      bench.wake();
      found.same('soon', bench.run(10_000).length, 5);
      found.same('threshold', source.configure?.({ periodMs: 2_000, threshold: 1_000 }), '');
      found.same('no change large enough', bench.run(10_000).length, 0);
      for (const [what, settings] of [
        ['bad-period', { periodMs: 9 }],
        ['bad-period', { periodMs: 1_000.5 }],
        ['bad-period', { periodMs: 86_400_001 }],
        ['bad-period', { periodMs: Number.NaN }],
        ['bad-threshold', { threshold: -1 }],
        ['bad-threshold', { threshold: Number.POSITIVE_INFINITY }],
        ['bad-interval', { maxIntervalMs: 999 }],
        ['bad-interval', { periodMs: 5_000, maxIntervalMs: 86_400_001 }],
      ] as const) {
        found.same(what, source.configure?.(settings), what);
      }
      found.same('nothing has changed', bench.run(10_000).length, 0);
      found.same('as the board had it', source.configure?.({}), '');
      bench.wake();
      bench.run(2_000);
      found.same('once a minute', bench.run(120_000).length, 2);
    },
  },
  {
    name: 'the kind of sensor bounds the period, and the board is held to the bounds as well',
    run(found) {
      const bus = new I2cBus();
      bus.attach(0x48, new Tmp117Chip());
      const source = tmp117(Tmp117, bus.smbus, { name: 'oil', periodMs: 1_000 });
      found.same('too fast', source.configure({ periodMs: 50 }), 'bad-period');
      found.throws('board', () => tmp117(Tmp117, bus.smbus, { name: 'oil', periodMs: 50 }));
      found.throws('name', () => tmp117(Tmp117, bus.smbus, { name: 'öl', periodMs: 1_000 }));
    },
  },
  {
    name: 'time that jumps ahead: one sample, not all that were missed; back: it goes on',
    run(found) {
      const bench = meter(() => ({ power: 1 }));
      bench.run(2_500);
      bench.jump(3_600_000);
      found.same('ahead', bench.run(1_500).length, 2);
      bench.jump(-1_800_000);
      const readings = bench.run(10_000);
      found.true(`back: ${readings.length}`, readings.length >= 9 && readings.length <= 11);
    },
  },
  {
    name: 'a value that could not be sealed at once is not sealed later as if it were new',
    run(found) {
      let power = 0;
      const bench = meter(() => ({ power: power++ }), { periodMs: 600_000 });
      bench.quiet = true;
      bench.run(30_000);
      bench.quiet = false;
      const [reading] = bench.run(2_000);
      found.true(`a fresh value, not ${String(reading?.values.load)}`, Number(reading?.values.load) > 5);
    },
  },
];
