/** What the lamp of a board says. boards/README.md has it for people. */
export type LampState = 'open' | 'fault' | 'away' | 'connected';

/**
 * Which stretches of 100 ms the lamp is lit, from the first one on; then again from the beginning.
 * open: two short flashes, pause. fault: even, fast. away: one long flash every second. connected: one short
 * flash every two seconds.
 */
const PATTERNS: Record<LampState, string> = Object.freeze({
  open: 'x.x.......',
  fault: 'x.',
  away: 'xxxxx.....',
  connected: 'x...................',
});

/** Whether the lamp is lit. @param nowMs uptime */
export function lampLit(state: LampState, nowMs: number): boolean {
  const pattern = PATTERNS[state];
  return pattern.charAt(Math.floor(nowMs / 100) % pattern.length) === 'x';
}
