/**
 * What a run is made of, from its seed: how many of everything, how it is set, which kinds of faults there are and how
 * often. Each run has some kinds only, in rates over orders of magnitude (swarm testing): faults that always come together
 * hide each other.
 */
import { SeededRandom } from '../../boards/virtual/random.js';
import type { DeviceLimits } from '../../firmware/limits.js';
import type { NamedSourceSettings } from '../../firmware/seal/index.js';
import { FAULT_KINDS, type FaultKind } from './kernel/fault-kinds.js';

export type LinkKind = 'serial' | 'tcp' | 'mqtt';

export interface BoardPlan {
  readonly link: LinkKind;
  readonly backlogSectors: number;
  readonly ramBytes: number;
  readonly limits: Partial<DeviceLimits>;
  readonly periodsMs: readonly number[];
  readonly burst: number;
  readonly drift: number;
  readonly flashRestarts: boolean;
  readonly settings?: readonly NamedSourceSettings[];
  /** When a copy of its flash begins to run in a second board, on which link. */
  readonly clone?: { readonly atMs: number; readonly link: LinkKind };
}

export interface SdkPlan {
  readonly periodMs: number;
  readonly allowReset: boolean;
}

export interface SubscriberPlan {
  readonly habit: 'steady' | 'visitor' | 'forgetful';
  readonly protocol: '3.1.1' | '5';
}

export interface Scenario {
  readonly seed: number;
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  readonly durationMs: number;
  readonly boards: readonly BoardPlan[];
  readonly sdk: readonly SdkPlan[];
  readonly subscribers: readonly SubscriberPlan[];
  readonly attacker: boolean;
  /** Whether boards go on measuring when the faults are over. */
  readonly lively: boolean;
  readonly maxQueued: number;
  readonly receiveMaximum: number;
}

/** What a run is to have less than its seed says. */
export interface Reduction {
  readonly off?: ReadonlySet<FaultKind>;
  readonly masked?: ReadonlySet<string>;
  readonly boards?: number;
  readonly sdk?: number;
  readonly subscribers?: number;
  readonly durationMs?: number;
}

export const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Probability for each occasion, from and to; what is not here has 0.0005 to 0.03. */
const CHANCES: Partial<Record<FaultKind, readonly [number, number]>> = {
  'board-boot-cut': [0.05, 0.5],
  'board-clone': [1, 1],
  'broker-half-session': [0.05, 0.7],
  'broker-refuse-connect': [0.05, 0.7],
  'gateway-zombie': [0.05, 0.8],
  'disk-emfile': [0.001, 0.05],
  'disk-eio-directory': [0.002, 0.1],
  'disk-hang': [0.0001, 0.005],
  'link-delay': [0.0005, 0.02],
  'subscriber-keyring-late': [0.2, 0.8],
};
/** Mean number in a run of those that come now and then, from and to; what is not here has 0.5 to 12. */
const COUNTS: Partial<Record<FaultKind, readonly [number, number]>> = {
  'board-flash-cut': [0.5, 20],
  'board-power-cut': [0.5, 20],
  'board-restart-loop': [0.3, 2],
  'board-restore': [0.3, 2],
  'disk-full': [0.5, 4],
  'gateway-away': [0.5, 3],
  'gateway-kill': [0.5, 20],
  'gateway-kill-effect': [0.5, 20],
  'gateway-lost': [0.5, 3],
  'gateway-power-cut': [0.5, 20],
  'operator-backup': [1, 12],
};
/**
 * Kinds that came when many seeds had been recorded. They are drawn from a stream of their own, and only for seeds from
 * here on: those below are the runs that they have always been.
 */
export const FIRST_OPERATED_SEED = 10_000_000;
const OPERATED: readonly (readonly FaultKind[])[] = [
  ['operator-drain'],
  ['operator-pause'],
  ['operator-backup', 'gateway-lost', 'gateway-zombie'],
];
/** Of those seeds, so many have such kinds, of one line together. */
const OPERATED_SHARE = 1 / 8;

/** How likely a kind is to be there at all, in one run and another. */
const DENSITIES = [0, 0.05, 0.15, 0.3, 0.5];

const logarithmic = (random: SeededRandom, least: number, most: number) =>
  least * (most / least) ** random.unit();

export function scenarioOf(seed: number, reduction: Reduction = {}): Scenario {
  const random = new SeededRandom(seed);
  // Most are short: what goes on all the time costs as much as what happens.
  const durationMs = Math.round(4 * MINUTE_MS * 30 ** (random.unit() ** 3));
  const rates = {
    ...ratesOf(random, durationMs, reduction.off),
    ...operatedRatesOf(seed, durationMs, reduction.off),
  };
  const count = 1 + Math.floor(4 * random.unit() ** 2);
  const readings = logarithmic(random, 25, 250);
  const boards: BoardPlan[] = [];
  for (let i = 0; i < count; i++) {
    // Of its own stream: a run with fewer boards has the same ones.
    const own = new SeededRandom(seed * 8 + i + 1);
    boards.push(boardOf(own, durationMs, readings / count, rates));
  }
  const sdk: SdkPlan[] = [];
  if (random.unit() < 0.25)
    sdk.push({ periodMs: (durationMs / readings) * 5, allowReset: random.unit() < 0.6 });
  const subscribers: SubscriberPlan[] = [];
  for (let i = random.below(3) === 0 ? 2 : 1; i > 0; i--) {
    subscribers.push({
      habit: (['steady', 'steady', 'visitor', 'forgetful'] as const)[random.below(4)],
      protocol: random.below(2) === 0 ? '5' : '3.1.1',
    });
  }
  const lively = random.below(2) === 0;
  const maxQueued = random.below(3) === 0 ? 20 + random.below(100) : 1000;
  const receiveMaximum = random.below(3) === 0 ? 1 + random.below(20) : 65_535;
  const attacker = Object.keys(rates).some(kind => kind.startsWith('attack-'));
  return {
    seed,
    rates,
    durationMs: Math.min(durationMs, reduction.durationMs ?? durationMs),
    boards: boards.slice(0, reduction.boards),
    sdk: sdk.slice(0, reduction.sdk),
    subscribers: subscribers.slice(0, reduction.subscribers),
    attacker,
    lively,
    maxQueued,
    receiveMaximum,
  };
}

function operatedRatesOf(
  seed: number,
  durationMs: number,
  off: ReadonlySet<FaultKind> = new Set(),
): Partial<Record<FaultKind, number>> {
  const rates: Partial<Record<FaultKind, number>> = {};
  if (seed < FIRST_OPERATED_SEED) return rates;
  // Boards have those of 1 to 5.
  const random = new SeededRandom(seed * 8 + 7);
  for (const kinds of OPERATED) {
    const on = random.unit() < OPERATED_SHARE;
    for (const kind of kinds) {
      const rate = rateOf(kind, random, durationMs);
      if (on && !off.has(kind)) rates[kind] = rate;
    }
  }
  return rates;
}

function ratesOf(
  random: SeededRandom,
  durationMs: number,
  off: ReadonlySet<FaultKind> = new Set(),
): Partial<Record<FaultKind, number>> {
  const density = DENSITIES[random.below(DENSITIES.length)];
  const rates: Partial<Record<FaultKind, number>> = {};
  for (const kind of KINDS) {
    if (OPERATED.flat().includes(kind)) continue;
    const on = random.unit() < density;
    const rate = rateOf(kind, random, durationMs);
    if (on && !off.has(kind)) rates[kind] = rate;
  }
  return rates;
}

function rateOf(kind: FaultKind, random: SeededRandom, durationMs: number): number {
  const scheduled = FAULT_KINDS[kind].startsWith('now and then');
  const [least, most] =
    (scheduled ? COUNTS[kind] : CHANCES[kind]) ?? (scheduled ? [0.5, 12] : [0.0005, 0.03]);
  const rate = logarithmic(random, least, most);
  return scheduled ? (rate * HOUR_MS) / durationMs : rate;
}

function boardOf(
  random: SeededRandom,
  durationMs: number,
  readings: number,
  rates: Partial<Record<FaultKind, number>>,
): BoardPlan {
  const sources = 1 + random.below(3);
  const periodsMs: number[] = [];
  // Bursts make about two of each.
  for (let i = 0; i < sources; i++)
    periodsMs.push(Math.max(200, (2 * sources * durationMs * (0.5 + random.unit())) / readings));
  // A heartbeat is due each minute; in a long run they would be all there is.
  const heartbeatMs = Math.max(60_000, (4 * durationMs) / readings);
  const limits: Partial<DeviceLimits> = {
    heartbeatMs,
    ...(random.below(2) === 0 && { maxEpochReadings: 4 + random.below(100) }),
    ...(random.below(3) === 0 && { maxEpochMs: logarithmic(random, MINUTE_MS, HOUR_MS) }),
    ...(random.below(3) === 0 && { windowEntries: 1 + random.below(8) }),
    ...(random.below(3) === 0 && { windowBytes: 512 + random.below(4_096) }),
  };
  const links: LinkKind[] = ['serial', 'serial', 'tcp', 'tcp', 'mqtt'];
  const link = links[random.below(links.length)];
  const cloneAtMs = durationMs * random.unit();
  // Two boards on one topic take it from each other all the time: seldom.
  const cloneLink = links[random.below(link === 'mqtt' && random.below(4) > 0 ? 4 : links.length)];
  const settled = random.below(3) === 0;
  return {
    link,
    backlogSectors: 3 + Math.floor(6 * random.unit() ** 2),
    ramBytes: 2_048 + random.below(8_192),
    limits,
    periodsMs,
    burst: random.below(2) === 0 ? 0.02 : 0.1,
    drift: 1 + (random.unit() - 0.5) * 4e-4,
    flashRestarts: random.below(2) === 0,
    ...(rates['board-clone'] !== undefined && { clone: { atMs: cloneAtMs, link: cloneLink } }),
    ...(settled && { settings: [{ name: 's0', periodMs: Math.ceil(periodsMs[0] * (0.5 + random.unit())) }] }),
  };
}
