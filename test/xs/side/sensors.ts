/**
 * The sources of `firmware/sensors`: what holds on Node holds here, and a sensor that is sampled, judged and
 * written leaves nothing behind.
 */
import type { Label, RecordWriter } from '../../../firmware/seal/index.js';
import {
  MachineState,
  Measurement,
  Pulses,
  type Source,
  Thermistor,
  Voltage,
} from '../../../firmware/sensors/index.js';
import { CHECKS, runCheck } from '../../firmware/sensors/checks.js';
import { offer } from './exported.js';

/** Takes records and keeps none. */
class Sink implements RecordWriter {
  records = 0;

  number(_label: Label, _value: number): void {
    this.records++;
  }

  bool(_label: Label, _value: boolean): void {
    this.records++;
  }

  text(_label: Label, _utf8: Uint8Array): void {
    this.records++;
  }

  data(_label: Label, _data: Uint8Array): void {
    this.records++;
  }
}

const sample = { celsius: 21 };

/** Gives the same object each time, so that what is counted is the source's own. */
class Frugal {
  sample(): typeof sample {
    return sample;
  }
}

let nowMs = 0;
let level = 0;
let count = 0;
let onReadable = () => {};
const uptime = { nowMs: () => nowMs };
// No state, no words to compare: what is counted is the source's own.
const adc = { resolution: 12, read: () => 1_234 };
const contact = { read: () => level };
const counter = { read: () => count };
const analog = { open: () => adc, fullScaleVolts: 3.3, periodMs: 100 };
const openContact = (call: () => void) => {
  onReadable = call;
  return contact;
};
const field = { name: 'any', unit: 'Cel', min: -40, max: 85, perUnit: 100 } as const;

const sources: readonly Source[] = [
  new Measurement({
    name: 'any',
    periodMs: 100,
    driver: Frugal,
    sensor: { io: Object },
    fields: [{ ...field, read: (s: typeof sample) => s.celsius }],
  }),
  new Voltage({ ...analog, name: 'supply', ratio: 2 }),
  new Thermistor({
    ...analog,
    name: 'tank',
    curve: { nominalOhms: 10_000, betaKelvin: 3_950 },
    seriesOhms: 10_000,
  }),
  new MachineState({ name: 'press', uptime, open: openContact }),
  new Pulses({ name: 'flow', periodMs: 100, open: () => counter }),
];
const sink = new Sink();

/** @returns the records written in so many periods */
function run(periods: number): number {
  const before = sink.records;
  for (let i = 0; i < periods; i++) {
    nowMs += 100;
    sample.celsius = 20 + (i & 7) / 8;
    level = i & 1;
    onReadable();
    count += 3;
    for (let k = 0; k < sources.length; k++) {
      const source = sources[k];
      while (source.poll(nowMs) <= 0) source.write(sink);
    }
  }
  return sink.records - before;
}

offer({
  names: () => CHECKS.map(({ name }) => name),
  check: (i: number) => runCheck(CHECKS[i]),
  run,
  idle: () => 0,
});
