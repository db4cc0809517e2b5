/**
 * Seeds that have shown a defect, each with what it was. When the simulation changes, a seed becomes another run: what a
 * defect is kept out by is the test beside its module, and these are runs that were once worth something.
 */
import { availableParallelism } from 'node:os';
import test from 'ava';
import { runSeeds } from './pool.js';

const SEEDS: Readonly<Record<number, string>> = {
  5: 'a gateway’s first status after each connect said nothing of fetch: gaps were called final that its journal held',
  12: 'the same, with two subscribers',
  15: 'the same, at a reconnect',
  25: 'the status told of an oldest offset that was beyond the last durable one',
  29: 'fetch gave up readings of a segment of which some pages can’t be read',
  33: 'gateway and subscriber asked and answered twice a second for ever about what the disk would not give',
  43: 'the same, on a disk that fails only for a while',
  57: 'a page that can’t be read kept the uplink from ever going on',
  76: 'a gap noticed by a reading on another site’s topic was asked of nobody',
  90: 'a subscriber whose state was damaged in the middle never asked for what it had forgotten',
  115: 'a page that can’t be read kept the uplink from ever going on, with retention',
  146: 'a fork was refused although its device’s first pair was not durable yet, and then failed',
  178: 'a fetch that rode along with another took a device for unknown whose segments had not been looked at',
  1179: 'two boards with one memory sealed alike, and a receipt for one freed what only the other held',
  2027: 'a cursor of which one copy is rotten, and retention',
  2246: 'a segment whose first page can’t be read, and what lies behind it',
  5001: 'old images, clones, and refusals',
  5160: 'a device whose backlog is full when a copy of it appears',
  5415: 'a final gap of which the journal still held a part',
  10047: 'five dead segments in a row kept the uplink from ever going on',
  40074: 'a quiet device whose epoch was full never named its losses, and span',
  3000008: 'fetch took a journalled gap at its word though its readings came after all',
  3000714: 'a subscriber did not miss what lay above a reading from before its first one',
  5015696:
    'pairs of a fork that waited for a full disk counted towards the share of their device, and failed',
  3001158:
    'a subscriber took what others had fetched for a device that delivers, and never asked for its tail',
  6055975:
    'a device that was sent to another epoch right after a hello with nothing held was never heard again',
  6061303:
    'once a slow disk had made a device look stuck, recordings of its old readings were taken for a fork',
  6012713: 'a late reading of a sovereign-sdk epoch told nobody of those before it',
  6013548: 'a line that rotted before it was known to be durable',
  6017218: 'a subscriber whose keyring learnt of a silent device did not ask for what gateways held of it',
  6025193:
    'a gateway whose last reading had rotted took in what had been passed by, just when that became final',
  10003351:
    'a restored gateway had not heard of a reading when it was asked: its gap became final though it held it by then',
  10006090:
    'a replaced gateway that had denied a gap before its end, its will untold, was waited for for ever',
  10031347: 'a backup whose list of replaced gateways had rotted could not be restored',
  10036462: 'a hole that a copy left in an epoch which the other had ended was told by nobody',
  6046047: 'a hole that a copy left in an epoch which the other had ended had no gap in the journal',
  6084289: 'a recording of an old reading was taken for a fork beside a device that heard no receipt',
  31000418:
    'a device whose memory was set back, and that sends all of it each time, was let go of one reading in four tries',
  6097546: 'a segment that could not be removed was taken for a tail once those around it had gone',
  6051843: 'fetch denied what was found at open and could not be made durable again yet: a gap became final',
};
const jobs = Math.min(4, availableParallelism());

test('seeds that have shown a defect', async t => {
  const { failures } = await runSeeds({ seeds: Object.keys(SEEDS).map(Number), jobs });
  t.deepEqual(
    failures.map(({ seed, what, details }) => `${seed} (${SEEDS[seed]}): ${what}: ${details}`),
    [],
  );
});
