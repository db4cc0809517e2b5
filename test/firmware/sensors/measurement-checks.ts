import { Bmp280, Bmp280Chip } from '../../../boards/virtual/peripherals/bmp280.js';
import { I2cBus } from '../../../boards/virtual/peripherals/i2c-bus.js';
import { Sht3x, Sht3xChip } from '../../../boards/virtual/peripherals/sht3x.js';
import { Tmp117, Tmp117Chip } from '../../../boards/virtual/peripherals/tmp117.js';
import { bmp280, sht3x, tmp117 } from '../../../firmware/sensors/index.js';
import { Bench, type Check, told } from './bench.js';

function climate() {
  const bus = new I2cBus();
  const chip = new Sht3xChip();
  bus.attach(0x44, chip);
  const bench = new Bench(() => sht3x(Sht3x, bus.i2c, { name: 'air', periodMs: 1_000 }));
  return { bus, chip, bench };
}

function probe(settings: object = {}) {
  const bus = new I2cBus();
  const chip = new Tmp117Chip();
  bus.attach(0x48, chip);
  const bench = new Bench(() => tmp117(Tmp117, bus.smbus, { name: 'oil', periodMs: 1_000, ...settings }));
  return { bus, chip, bench };
}

function weather() {
  const bus = new I2cBus();
  const chip = new Bmp280Chip();
  bus.attach(0x76, chip);
  const bench = new Bench(() => bmp280(Bmp280, bus.i2c, { name: 'hut', periodMs: 1_000 }));
  return { bus, chip, bench };
}

export const MEASUREMENT_CHECKS: readonly Check[] = [
  {
    name: 'SHT3x: temperature and humidity, steadily, with units',
    run(found) {
      const { bench, chip } = climate();
      chip.celsius = -7.25;
      chip.humidity = 61.5;
      const readings = bench.run(5_000);
      found.same('readings', readings.length, 5);
      found.near('temperature', readings[0].values['air/temperature Cel'], -7.25, 0.01);
      found.near('humidity', readings[0].values['air/humidity %RH'], 61.5, 0.01);
      found.same(
        'times',
        readings.map(r => r.atMs),
        [0, 1_000, 2_000, 3_000, 4_000],
      );
    },
  },
  {
    name: 'a value that rounds to -0 is sealed as 0',
    run(found) {
      const { bench, chip } = climate();
      chip.celsius = -0.003;
      found.same('temperature', told(bench.run(500), 'air/temperature', 'air'), [0]);
    },
  },
  ...(['temperature', 'humidity', 'status'] as const).map(
    (which): Check => ({
      name: `SHT3x: a wrong checksum of its ${which} is a fault, and the reading after it says so`,
      run(found) {
        const { bench, chip } = climate();
        bench.run(1_500);
        chip.badCrc = which;
        const word = which === 'status' ? 'driver-error' : 'no-value';
        found.same('fault', told(bench.run(1_000), 'air/temperature', 'air'), [word]);
        chip.badCrc = 'none';
        const [back] = bench.run(1_500);
        found.same('fault is over', [back.fault, back.values['air/fault']], [false, 'none']);
        found.near('outage', back.values['air/outage s'], 1, 0.01);
        found.near('temperature', back.values['air/temperature'], 21, 0.01);
        found.same('it is said once', bench.run(1_000)[0].values['air/fault'], undefined);
      },
    }),
  ),
  {
    name: 'a sensor that never was there: one fault, then one in maxInterval; found, it works, and no IO is lost',
    run(found) {
      const { bus, chip, bench } = climate();
      bus.detach(0x44);
      const readings = bench.run(1_800_000);
      found.same('words', [...new Set(told(readings, '', 'air'))], ['not-found']);
      found.same('three in half an hour', readings.length, 3);
      found.true('failures are counted', (readings[1].values['air/failures count'] as number) > 5);
      found.same('nothing is left open', bus.opened, 0);
      bus.attach(0x44, chip);
      const back = bench.run(61_000);
      found.same('works', [back[0].fault, back[0].values['air/fault']], [false, 'none']);
      found.true('and goes on', back.length > 1);
    },
  },
  {
    name: 'back-off: attempts become rare, and begin anew after a recovery',
    run(found) {
      const { bus, bench } = climate();
      bench.run(1_500);
      bus.state = 'nack';
      bench.run(3_600_000);
      const before = bus.transactions;
      bench.run(3_600_000);
      const attempts = bus.transactions - before;
      found.true(`about 60 attempts in an hour, not ${attempts}`, attempts >= 55 && attempts <= 65);
      bus.state = 'works';
      bench.run(61_000);
      bus.state = 'nack';
      bench.run(2_000);
      bus.state = 'works';
      const readings = bench.run(3_000);
      found.same('soon again', readings.length > 0 && !readings[0].fault, true);
    },
  },
  ...(['nack', 'low', 'high'] as const).flatMap(state =>
    [climate, probe, weather].map(
      (make): Check => ({
        name: `${make.name}: a bus that is ${state} gives a fault, never a value, and the bus's return a value`,
        run(found) {
          const { bus, bench } = make();
          found.true(
            'works',
            bench.run(3_000).every(r => !r.fault),
          );
          bus.state = state;
          const readings = bench.run(300_000);
          found.same('one fault', [readings.length, readings[0]?.fault], [1, true]);
          const word = Object.values(readings[0]?.values ?? {})[0];
          const held = make === climate ? 'driver-error' : 'bad-answer';
          found.same('its word', word, state === 'nack' ? 'no-answer' : held);
          bus.state = 'works';
          const back = bench.run(61_000);
          found.true('works again', back.length > 0 && back.every(r => !r.fault));
          found.same('one IO at the most is open', bus.opened, 1);
        },
      }),
    ),
  ),
  {
    name: 'TMP117: negative temperatures; before its first conversion it has no value',
    run(found) {
      const { chip, bench } = probe();
      chip.celsius = -40.5;
      found.same('value', told(bench.run(900), 'oil Cel', 'oil'), [-40.5]);
      chip.converted = false;
      found.same('none', told(bench.run(1_000), 'oil'), ['out-of-range']);
    },
  },
  {
    name: 'TMP117: another chip at its address is told from it',
    run(found) {
      const { chip, bench } = probe();
      chip.registers[0x0f] = 0x0190;
      found.same('fault', told(bench.run(900), 'oil'), ['wrong-device']);
    },
  },
  {
    name: 'a value that stays exactly the same too long is stuck, until it moves',
    run(found) {
      const { chip, bench } = probe({ stuckMs: 60_000 });
      found.true(
        'a while',
        bench.run(60_500).every(r => !r.fault),
      );
      const readings = bench.run(300_000);
      found.same('stuck', told(readings, 'oil'), ['stuck']);
      chip.celsius += 0.25;
      const back = bench.run(61_000);
      found.same('moves', [back[0]?.fault, back[0]?.values['oil/fault']], [false, 'none']);
      bench.run(5_000);
      chip.celsius += 0.25;
      found.same('time begins anew', bench.run(1_000).length, 1);
    },
  },
  {
    name: 'stuckMs 0: never stuck',
    run(found) {
      const { bench } = probe({ stuckMs: 0, periodMs: 60_000 });
      found.true(
        'no fault',
        bench.run(7_200_000).every(r => !r.fault),
      );
    },
  },
  {
    name: 'BMP280: Celsius and Pa',
    run(found) {
      const { chip, bench } = weather();
      chip.celsius = 12.34;
      chip.pascal = 98_765;
      const [reading] = bench.run(900);
      found.near('temperature', reading.values['hut/temperature Cel'], 12.34, 0.02);
      found.near('pressure', reading.values['hut/pressure Pa'], 98_765, 3);
    },
  },
  {
    name: 'BMP280: after a dip of its supply it is set up anew before it is believed',
    run(found) {
      const { chip, bench } = weather();
      bench.run(1_500);
      chip.celsius = 3;
      chip.power();
      const readings = bench.run(3_000);
      found.same('reset', told(readings, '', 'hut')[0], 'reset');
      found.near('then right', readings[1]?.values['hut/temperature'], 3, 0.02);
    },
  },
  {
    name: 'BMP280: a BME280 in its place is the wrong device',
    run(found) {
      const { chip, bench } = weather();
      chip.id = 0x60;
      found.same('fault', told(bench.run(900), '', 'hut'), ['wrong-device']);
    },
  },
];
