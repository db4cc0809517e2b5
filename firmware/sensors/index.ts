/** Sources over ECMA-419 drivers and inputs that a board passes in. `README.md` has them all. */
export * from './analog-input.js';
export * from './bmp280.js';
export * from './digital-pulses.js';
export type { ClassOf, SensorOptions } from './keeper.js';
export * from './machine-state.js';
export * from './measurement.js';
export * from './pulses.js';
export type { FieldSettings, SampledSettings } from './sampled.js';
export * from './shared-converter.js';
export * from './sht3x.js';
export type { Source, SourceSettings } from './source.js';
export * from './thermistor.js';
export * from './tmp117.js';
export { TROUBLE_WORDS } from './trouble.js';
export { TUNING_BOUNDS } from './tuning.js';
export type { SenmlUnit } from './units.js';
export * from './voltage.js';
