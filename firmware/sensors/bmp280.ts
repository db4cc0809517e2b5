import type { ClassOf, SensorOptions } from './keeper.js';
import { Measurement, type SensorDriver } from './measurement.js';
import type { SampledSettings } from './sampled.js';
import { Trouble } from './trouble.js';

export interface Bmp280Sample {
  thermometer?: { temperature?: number };
  /** In Pa. */
  barometer?: { pressure?: number };
}

interface I2cPort {
  write(bytes: Uint8Array): unknown;
  read(bytes: Uint8Array): unknown;
}

const CHIP_ID = 0xd0;
const CONTROL = 0xf4;
const BMP280_ID = 0x58;
const NORMAL_MODE = 3;

/**
 * Bosch BMP280: `<name>/temperature` in Cel and `<name>/pressure` in Pa. The temperature is that of the chip,
 * mostly a degree or two above the air's.
 */
export function bmp280<I extends I2cPort>(
  driver: ClassOf<SensorDriver<Bmp280Sample>>,
  sensor: SensorOptions<I>,
  settings: SampledSettings,
): Measurement<Bmp280Sample, I> {
  const { name } = settings;
  const register = new Uint8Array(1);
  const read = (io: I, address: number) => {
    register[0] = address;
    io.write(register);
    io.read(register);
    return register[0];
  };
  return new Measurement(
    {
      stuckMs: 3_600_000,
      ...settings,
      driver,
      sensor,
      fields: [
        {
          name: `${name}/temperature`,
          unit: 'Cel',
          min: -40,
          max: 85,
          perUnit: 100,
          read: sample => sample.thermometer?.temperature,
        },
        {
          name: `${name}/pressure`,
          unit: 'Pa',
          min: 30_000,
          max: 110_000,
          perUnit: 1,
          threshold: 50,
          read: sample => sample.barometer?.pressure,
        },
      ],
    },
    {
      address: 0x76,
      minPeriodMs: 50,
      // Until its first conversion it gives a constant that looks like room temperature.
      settleMs: 100,
      // When nobody answers, the driver's constructor leaves its calibration in memory for ever.
      // Asked twice: the first transfer after one that was aborted may be lost.
      present: io => read(io, CHIP_ID) === BMP280_ID || read(io, CHIP_ID) === BMP280_ID,
      // After a dip of its supply it sleeps, and gives that constant again.
      intact: io => {
        if (read(io, CHIP_ID) !== BMP280_ID) return Trouble.badAnswer;
        return (read(io, CONTROL) & NORMAL_MODE) === NORMAL_MODE ? Trouble.none : Trouble.reset;
      },
    },
  );
}
