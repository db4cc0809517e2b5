import { AnalogPin, crossedAnalog } from '../../../boards/virtual/peripherals/pins.js';
import {
  shareConverter,
  Thermistor,
  type ThermistorSettings,
  Voltage,
} from '../../../firmware/sensors/index.js';
import { Bench, type Check, told } from './bench.js';

function supply(settings: object = {}, resolution = 12) {
  const pin = new AnalogPin(resolution);
  const base = { name: 'supply', periodMs: 1_000, open: () => pin.open(), fullScaleVolts: 3.3 };
  return { pin, bench: new Bench(() => new Voltage({ ...base, ...settings })) };
}

const BETA = { nominalOhms: 10_000, betaKelvin: 3_950 };
/** Of the 10 kΩ thermistor of the textbooks: 25 °C at 10 kΩ. */
const STEINHART = { a: 1.129148e-3, b: 2.34125e-4, c: 8.76741e-8 };

function tank(settings: Partial<ThermistorSettings> = {}) {
  const pin = new AnalogPin();
  const base = { name: 'tank', periodMs: 1_000, open: () => pin.open(), fullScaleVolts: 3.3 };
  const curve = { curve: BETA, seriesOhms: 10_000 };
  return { pin, bench: new Bench(() => new Thermistor({ ...base, ...curve, ...settings })) };
}

/** What the pin reads when the thermistor has so many ohms. */
const codeAt = (ohms: number, side: 'ground' | 'supply' = 'ground', part = 1) =>
  Math.round(4_095 * part * (side === 'ground' ? ohms / (ohms + 10_000) : 10_000 / (ohms + 10_000)));
const ohmsAt = (celsius: number) => 10_000 * Math.exp(3_950 * (1 / (celsius + 273.15) - 1 / 298.15));

export const ANALOG_CHECKS: readonly Check[] = [
  {
    name: 'voltage: full scale, divider, calibration and the resolution of the input',
    run(found) {
      const half = supply();
      half.pin.codes = 2_047.5 * 1;
      found.near('no divider', half.bench.run(500)[0].values['supply V'], 1.65, 0.001);
      const divided = supply({ ratio: 11, gain: 1.02, offsetVolts: -0.05, perUnit: 10_000 }, 10);
      divided.pin.codes = 300;
      const volts = (300 / 1_023) * 3.3 * 11 * 1.02 - 0.05;
      found.near('divided', divided.bench.run(500)[0].values.supply, volts, 0.0001);
    },
  },
  {
    name: 'voltage: the mean of so many samples, and not one more',
    run(found) {
      const { pin, bench } = supply({ samples: 4 });
      pin.codes = [1_000, 1_002, 1_004, 1_006];
      found.near('mean', bench.run(500)[0].values.supply, (1_003 / 4_095) * 3.3, 0.001);
      found.same('reads', pin.reads, 4);
      for (const samples of [0, 257, 1.5, -1, Number.NaN]) {
        found.throws(`samples: ${samples}`, () => supply({ samples }));
      }
      found.throws('full scale', () => supply({ fullScaleVolts: 0 }));
    },
  },
  {
    name: 'voltage: at its highest code the converter says nothing; 0 V is a value unless the board says no',
    run(found) {
      const high = supply({ samples: 4 });
      high.pin.codes = [4_000, 4_000, 4_095, 4_000];
      found.same('one sample cut off', told(high.bench.run(500), 'supply'), ['rail-high']);
      const zero = supply();
      found.same('0 V', told(zero.bench.run(500), 'supply'), [0]);
      const low = supply({ lowCode: 3 });
      low.pin.codes = 3;
      found.same('not connected', told(low.bench.run(500), 'supply'), ['rail-low']);
      low.pin.codes = 1_000;
      found.same('connected', low.bench.run(2_000)[0]?.values['supply/fault'], 'none');
    },
  },
  {
    name: 'voltage: a pin in the air wanders',
    run(found) {
      const { pin, bench } = supply({ maxSpreadCodes: 50 });
      pin.codes = [500, 530, 520];
      found.same('noise', told(bench.run(500), 'supply').length, 1);
      pin.codes = [500, 1_900, 90];
      found.same('air', told(bench.run(1_000), 'supply'), ['unsteady']);
    },
  },
  {
    name: 'voltage: holes, codes beyond the resolution, a converter that is gone',
    run(found) {
      for (const codes of [[undefined], [100, undefined], [4_096], [-1], [Number.NaN]]) {
        const { pin, bench } = supply();
        pin.codes = codes;
        found.same(`${String(codes)}`, told(bench.run(500), 'supply'), ['no-value']);
      }
      const { pin, bench } = supply();
      bench.run(1_500);
      pin.state = 'gone';
      found.same('gone', told(bench.run(10_000), 'supply'), ['no-answer']);
      found.same('closed', pin.opened, 0);
      pin.state = 'works';
      found.same('back', bench.run(61_000)[0]?.values['supply/fault'], 'none');
      found.same('open once', pin.opened, 1);
    },
  },
  {
    name: 'voltage: a converter that hangs at one code',
    run(found) {
      const { pin, bench } = supply({ stuckMs: 20_000, samples: 1 });
      pin.codes = 1_234;
      const words = told(bench.run(60_000), 'supply').filter(word => typeof word === 'string');
      found.same('stuck', words, ['stuck']);
    },
  },
  {
    name: 'thermistor: Beta, over its range, on either side of the divider',
    run(found) {
      for (const side of ['ground', 'supply'] as const) {
        for (const celsius of [-20, 0, 25, 60, 100]) {
          const { pin, bench } = tank({ side });
          pin.codes = codeAt(ohmsAt(celsius), side);
          found.near(`${side} ${celsius}`, bench.run(500)[0].values['tank Cel'], celsius, 0.5);
        }
      }
    },
  },
  {
    name: 'thermistor: Steinhart–Hart',
    run(found) {
      for (const [ohms, celsius] of [
        [10_000, 25],
        [32_650, 0],
        [3_603, 50],
        [678, 100],
      ]) {
        const { pin, bench } = tank({ curve: STEINHART, samples: 1 });
        pin.codes = codeAt(ohms);
        found.near(`${ohms} ohms`, bench.run(500)[0].values.tank, celsius, 0.5);
      }
    },
  },
  {
    name: 'thermistor: a supply above the full scale, and an offset',
    run(found) {
      const { pin, bench } = tank({ fullScaleVolts: 2.45, supplyVolts: 3.3, offsetCel: -0.5 });
      pin.codes = codeAt(10_000, 'ground', 3.3 / 2.45);
      found.near('25 °C', bench.run(500)[0].values.tank, 24.5, 0.05);
      const low = tank({ supplyVolts: 1.65 });
      low.pin.codes = codeAt(10_000, 'ground', 0.5);
      found.near('a lower supply', low.bench.run(500)[0].values.tank, 25, 0.05);
      low.pin.codes = 2_045;
      found.same('its open wire', told(low.bench.run(1_000), 'tank'), ['open-circuit']);
    },
  },
  {
    name: 'thermistor: open and shorted wires are faults on either side, and so is what no probe can have',
    run(found) {
      for (const [side, codes, word] of [
        ['ground', 4_095, 'open-circuit'],
        ['ground', 4_070, 'open-circuit'],
        ['ground', 0, 'short-circuit'],
        ['ground', 30, 'short-circuit'],
        ['supply', 0, 'open-circuit'],
        ['supply', 4_095, 'short-circuit'],
        ['ground', codeAt(ohmsAt(130)), 'out-of-range'],
        ['ground', codeAt(ohmsAt(-45)), 'out-of-range'],
      ] as const) {
        const { pin, bench } = tank({ side, marginCodes: 40 });
        pin.codes = codes;
        found.same(`${side} ${codes}`, told(bench.run(500), 'tank'), [word]);
      }
      const { pin, bench } = tank({ samples: 4 });
      pin.codes = [2_000, 2_000, 4_095, 2_000];
      found.same('a loose contact', told(bench.run(500), 'tank'), ['open-circuit']);
    },
  },
  {
    name: 'two inputs at a converter whose class chooses the channel when it is made',
    run(found) {
      const Crossed = crossedAnalog({ 26: 1_000, 27: 2_000 });
      const Shared = shareConverter(Crossed);
      const open = (pin: number) => () => new Shared({ pin });
      const base = { periodMs: 1_000, fullScaleVolts: 4.095 };
      const a = new Bench(() => new Voltage({ ...base, name: 'a', open: open(26) }));
      const b = new Bench(() => new Voltage({ ...base, name: 'b', open: open(27) }));
      for (let i = 0; i < 3; i++) {
        found.same('a', told(a.run(1_000), 'a'), [1]);
        found.same('b', told(b.run(1_000), 'b'), [2]);
      }
      const { made } = Crossed;
      b.run(10_000);
      found.same('one alone is not made anew', Crossed.made, made);
    },
  },
];
