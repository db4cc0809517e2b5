import type { ClassOf, SensorOptions } from './keeper.js';
import { Measurement, type SensorDriver } from './measurement.js';
import type { SampledSettings } from './sampled.js';

/** What the driver gives; a value whose checksum was wrong is missing. */
export interface Sht3xSample {
  thermometer?: { temperature?: number };
  hygrometer?: { humidity?: number };
}

interface I2cWriter {
  write(bytes: Uint8Array): unknown;
}

/** Sensirion SHT30, SHT31 and SHT35: `<name>/temperature` in Cel and `<name>/humidity` in %RH. */
export function sht3x<I extends I2cWriter>(
  driver: ClassOf<SensorDriver<Sht3xSample>>,
  sensor: SensorOptions<I>,
  settings: SampledSettings,
): Measurement<Sht3xSample, I> {
  const { name } = settings;
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
          max: 125,
          perUnit: 100,
          read: sample => sample.thermometer?.temperature,
        },
        {
          name: `${name}/humidity`,
          unit: '%RH',
          min: 0,
          max: 100,
          perUnit: 100,
          threshold: 2,
          read: sample => sample.hygrometer?.humidity,
        },
      ],
    },
    {
      address: 0x44,
      // The driver waits 50 ms three times in each sample.
      minPeriodMs: 500,
      // It has no id. It refuses to be read before it has measured; a write it takes, or nobody is there.
      present: io => {
        io.write(new Uint8Array([0x30, 0x41])); // clear the status
        return true;
      },
    },
  );
}
