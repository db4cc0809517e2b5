import type { ClassOf, SensorOptions } from './keeper.js';
import { Measurement, type SensorDriver } from './measurement.js';
import type { SampledSettings } from './sampled.js';
import { Trouble } from './trouble.js';

export interface Tmp117Sample {
  temperature?: number;
}

interface SmbusReader {
  readUint16(register: number, bigEndian?: boolean): number;
}

const CHIP_ID = 0x0f;

/** A bus that is stuck reads as 0 °C or as -0.008 °C, which a thermometer may well say; the id tells. */
const isTmp117 = (io: SmbusReader) => (io.readUint16(CHIP_ID, true) & 0x0fff) === 0x0117;

/** Texas Instruments TMP117: `<name>` in Cel. Its IO is SMBus. */
export function tmp117<I extends SmbusReader>(
  driver: ClassOf<SensorDriver<Tmp117Sample>>,
  sensor: SensorOptions<I>,
  settings: SampledSettings,
): Measurement<Tmp117Sample, I> {
  return new Measurement(
    {
      stuckMs: 3_600_000,
      ...settings,
      driver,
      sensor,
      fields: [
        // 7.8 mK a step; before its first conversion it says ±256 °C, which is out of range.
        {
          name: settings.name,
          unit: 'Cel',
          min: -55,
          max: 150,
          perUnit: 128,
          read: sample => sample.temperature,
        },
      ],
    },
    // The first conversion is an average of eight: 125 ms.
    {
      address: 0x48,
      minPeriodMs: 100,
      settleMs: 200,
      present: isTmp117,
      intact: io => (isTmp117(io) ? Trouble.none : Trouble.badAnswer),
    },
  );
}
