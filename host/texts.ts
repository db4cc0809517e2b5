/** Sizes and times as people read them, on a terminal and on the page: no effects, and nothing that a browser does not have. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `999 B`, `1.5 GiB`, `200 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `45 s`, `2 min 5 s`, `12 min`, `3 h 20 min`, `2 d 4 h`: the smaller unit where it says something. */
export function durationText(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`;
  if (whole < HOUR) return two(whole, MINUTE, 'min', SECOND, 's');
  if (whole < DAY) return two(whole, HOUR, 'h', MINUTE, 'min');
  return two(whole, DAY, 'd', HOUR, 'h');
}

function two(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = Math.floor(ms / large);
  const second = Math.floor((ms % large) / small);
  return second === 0 || first >= 10
    ? `${first} ${largeUnit}`
    : `${first} ${largeUnit} ${second} ${smallUnit}`;
}

/** How long ago something was: `now`, `12 min ago`. */
export function agoText(at: number, now: number): string {
  return now - at < 5 * SECOND ? 'now' : `${durationText(now - at)} ago`;
}
