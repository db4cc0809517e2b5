import type { RecordWriter } from '../seal/index.js';

/**
 * One sensor of a device. It decides by itself when it has something to say: by its period, at an edge,
 * or past a threshold. A sensor that fails says so in a reading of kind fault; it is never silent and never
 * gives a wrong value.
 */
export interface Source {
  /**
   * Looks at the sensor.
   * @param nowMs uptime in ms
   * @returns 0 when a reading is ready, otherwise the ms until it wants to be asked again
   */
  poll(nowMs: number): number;
  /** Of the reading that is ready: 0 for a measurement, `Kind.fault` when the sensor failed. */
  readonly kind: number;
  /** Writes the records of the reading that is ready; it is then no longer ready. */
  write(records: RecordWriter): void;
}
