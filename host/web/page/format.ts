/** Counts, times of day and measured values as the page shows them. */

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `12,345`. */
export const countText = (count: number) => grouped.format(count);

/** `1 gap`, `2 gaps`. */
export const plural = (count: number, one: string, many = `${one}s`) =>
  `${countText(count)} ${count === 1 ? one : many}`;

/** A measured value: five digits at most, fewer where they say nothing. */
export function valueText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(5)));
}

/** SenML's names of units (RFC 8428, section 12.1) as they are written. */
const SIGNS: Readonly<Record<string, string>> = {
  Cel: '°C',
  Ohm: 'Ω',
  '%RH': '% RH',
  'm/s2': 'm/s²',
  m2: 'm²',
  m3: 'm³',
  '1/s': 'per s',
  '1/min': 'per min',
  count: '',
};

export const unitText = (unit: string | undefined) =>
  unit === undefined ? '' : Object.hasOwn(SIGNS, unit) ? SIGNS[unit]! : unit;

/** A record of a reading: `21.5 °C`. */
export function recordText(record: {
  u?: string;
  v?: number;
  vs?: string;
  vb?: boolean;
  vd?: string;
}): string {
  if (record.v !== undefined) return `${valueText(record.v)} ${unitText(record.u)}`.trim();
  if (record.vb !== undefined) return record.vb ? 'true' : 'false';
  if (record.vs !== undefined) return record.vs;
  return record.vd === undefined ? '' : `${Math.floor((record.vd.length * 3) / 4)} bytes`;
}

const pad = (value: number, digits = 2) => String(value).padStart(digits, '0');

/** `14:03:05`, by the browser's clock. */
export function clockText(at: number): string {
  const date = new Date(at);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `2026-11-21 14:03:05`. */
export function timeText(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clockText(at)}`;
}
