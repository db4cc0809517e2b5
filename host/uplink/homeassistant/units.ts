/**
 * SenML units (RFC 8428, section 12.1, and RFC 8798, section 3) as Home Assistant has them. A device class is given only where
 * the unit leaves no doubt of what is measured, and where Home Assistant takes this unit for this class: it refuses or
 * converts wrongly what does not fit. Every other unit is shown as it is.
 */

export interface Quantity {
  /** As Home Assistant spells it; absent: a bare number. */
  readonly unit?: string;
  readonly deviceClass?: string;
  /** `total_increasing`: a counter, which may begin again at 0; Home Assistant takes no other for energy. */
  readonly stateClass: 'measurement' | 'total_increasing';
}

const measured = (unit: string | undefined, deviceClass?: string): Quantity => ({
  ...(unit !== undefined && { unit }),
  ...(deviceClass !== undefined && { deviceClass }),
  stateClass: 'measurement',
});
const counted = (unit: string | undefined, deviceClass?: string): Quantity => ({
  ...measured(unit, deviceClass),
  stateClass: 'total_increasing',
});

const QUANTITIES: ReadonlyMap<string, Quantity> = new Map([
  ['Cel', measured('°C', 'temperature')],
  ['K', measured('K', 'temperature')],
  ['%RH', measured('%', 'humidity')],
  ['%EL', measured('%', 'battery')],
  ['%', measured('%')],
  ['/', measured(undefined)],
  ['Pa', measured('Pa', 'pressure')],
  ['hPa', measured('hPa', 'pressure')],
  ['V', measured('V', 'voltage')],
  ['mV', measured('mV', 'voltage')],
  ['A', measured('A', 'current')],
  ['mA', measured('mA', 'current')],
  ['W', measured('W', 'power')],
  ['kW', measured('kW', 'power')],
  ['VA', measured('VA', 'apparent_power')],
  ['var', measured('var', 'reactive_power')],
  ['J', counted('J', 'energy')],
  ['Wh', counted('Wh', 'energy')],
  ['kWh', counted('kWh', 'energy')],
  ['Hz', measured('Hz', 'frequency')],
  ['MHz', measured('MHz', 'frequency')],
  ['s', measured('s', 'duration')],
  ['EL', measured('s', 'duration')],
  ['ms', measured('ms', 'duration')],
  ['min', measured('min', 'duration')],
  ['h', measured('h', 'duration')],
  ['m', measured('m', 'distance')],
  ['mm', measured('mm', 'distance')],
  ['cm', measured('cm', 'distance')],
  ['km', measured('km', 'distance')],
  ['kg', measured('kg', 'weight')],
  ['g', measured('g', 'weight')],
  ['lx', measured('lx', 'illuminance')],
  ['W/m2', measured('W/m²', 'irradiance')],
  ['m/s', measured('m/s', 'speed')],
  ['km/h', measured('km/h', 'speed')],
  ['l', measured('L', 'volume_storage')],
  ['m3', measured('m³', 'volume_storage')],
  ['m2', measured('m²')],
  ['m3/s', measured('m³/s')],
  ['l/s', measured('L/s')],
  ['dBm', measured('dBm', 'signal_strength')],
  ['B', measured('B', 'data_size')],
  ['bit', measured('bit', 'data_size')],
  ['bit/s', measured('bit/s', 'data_rate')],
  ['pH', measured(undefined, 'ph')],
  ['Ohm', measured('Ω')],
  ['deg', measured('°')],
  ['lat', measured('°')],
  ['lon', measured('°')],
  ['beat/min', measured('bpm')],
  ['m/s2', measured('m/s²')],
  ['cd/m2', measured('cd/m²')],
  ['count', counted(undefined)],
]);

/** @param senml as the record has it; undefined: a number without a unit */
export function quantityOf(senml: string | undefined): Quantity {
  if (senml === undefined || senml === '') return measured(undefined);
  return QUANTITIES.get(senml) ?? measured(senml);
}
