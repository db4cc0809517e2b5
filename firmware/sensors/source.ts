import type { RecordWriter } from '../seal/index.js';

/** How often a source speaks. What is absent is as the board set it: the last settings alone count. */
export interface SourceSettings {
  /** ms between two samples, whole. */
  readonly periodMs?: number | undefined;
  /** In the unit of the source's first record: a smaller change is not told; 0 tells every sample. */
  readonly threshold?: number | undefined;
  /** After so many ms a reading is due however little has changed; also between two readings of one failure. */
  readonly maxIntervalMs?: number | undefined;
}

/**
 * One sensor of a device. It decides by itself when it has something to say: by its period, at an edge,
 * or past a threshold. A sensor that fails says so in a reading of kind fault; it is never silent and never
 * gives a wrong value.
 */
export interface Source {
  /** By which settings from the gateway find it; without a name, none do. */
  readonly name?: string;
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
  /**
   * Takes settings whole or refuses them whole, and then keeps the ones that it had.
   * @returns '' or which one is out of bounds: `bad-period`, `bad-threshold`, `bad-interval`
   */
  configure?(settings: SourceSettings): string;
}
