/**
 * A device whose link is noisy, whose flash fails or loses power at a byte, or whose time jumps: what is wrong
 * with what its gateway got, line by line. Plain code: Node runs it as well as XS. The gateway throws at a fork.
 */
import { PowerCut } from '../../../boards/virtual/flash.js';
import { Board } from './board.js';

const ROOT = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const ID = 'a0a1a2a3a4a5a6a7';
/** Enough for what is sealed while the gateway is away; to make 256 KB takes XS longer than all the rest. */
const BACKLOG_SECTORS = 16;
/** Readings that may be on their way when a run ends. */
const ON_THE_WAY = 4;
const FLASH_STEPS = [0, 300, 4500, 6000];
/** Cycles of 100 ms: long enough away for flash to be written, long enough back for all of it to be sent. */
const AWAY_CYCLES = 200;
const BACK_CYCLES = 200;

function booted(): Board {
  const board = new Board('free', ROOT, ID, BACKLOG_SECTORS);
  board.boot('power-on');
  board.run(20);
  return board;
}

/** Everything sealed has arrived, but for what memory held when power went. */
function judge(board: Board, what: string, excusedReadings = 0, tornReadings = 0): string[] {
  const { sealed, lost } = board.counts;
  const { accepted } = board.gateway.counts;
  const wrong: string[] = [];
  if (accepted + ON_THE_WAY + excusedReadings < sealed)
    wrong.push(`${what}: ${accepted} of ${sealed} arrived`);
  if (accepted > sealed) wrong.push(`${what}: ${accepted} arrived, ${sealed} were sealed`);
  if (lost > tornReadings) wrong.push(`${what}: ${lost} lost`);
  return wrong;
}

/** One byte in `bytes` is wrong, then none is. */
export function checkNoise(bytes: number, cycles: number): string[] {
  const board = booted();
  board.noise(bytes);
  board.run(cycles);
  board.noise(0);
  board.run(BACK_CYCLES);
  const spoilt = board.gateway.noiseFrames > 0 ? [] : ['no frame was spoilt'];
  return [...spoilt, ...judge(board, `a wrong byte in ${bytes}`)];
}

/** The flash reports a failure at a step of writing the backlog. @param steps from now on */
export function checkFlashFailure(steps: number): string[] {
  const board = booted();
  board.presence('unlinked');
  board.flash.failAfter(steps);
  board.run(AWAY_CYCLES);
  board.presence('there');
  board.run(BACK_CYCLES);
  return judge(board, `flash failed at step ${steps}`);
}

/** Power goes at a step of writing the backlog, and comes back. */
export function checkPowerCut(steps: number): string[] {
  const board = booted();
  board.presence('unlinked');
  board.flash.cutAfter(steps, steps);
  let cut = false;
  for (let i = 0; i < AWAY_CYCLES && !cut; i++) {
    try {
      board.run(1);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      cut = true;
    }
  }
  if (!cut) return [`no power cut at step ${steps}`];
  // What flash had not taken yet is gone: at most what was sealed since the gateway went away.
  const excused = board.counts.sealed - board.gateway.counts.accepted;
  board.presence('there');
  board.boot('power-on');
  board.run(BACK_CYCLES);
  // The one that was being written is found torn, and named.
  return judge(board, `power cut at step ${steps}`, excused, 1);
}

/** The clock goes on by itself: sampling goes on once, and the session and its epochs survive it. */
export function checkJump(ms: number): string[] {
  const board = booted();
  for (let i = 0; i < 5; i++) {
    board.jump(ms);
    board.run(100);
  }
  board.run(BACK_CYCLES);
  return judge(board, `jumps of ${ms} ms`);
}

export const TROUBLES: readonly { readonly name: string; readonly run: () => string[] }[] = [
  { name: 'link noise', run: () => [...checkNoise(5_000, 500), ...checkNoise(500, 300)] },
  {
    name: 'a flash that fails',
    run: () => FLASH_STEPS.flatMap(checkFlashFailure),
  },
  { name: 'a power cut', run: () => FLASH_STEPS.flatMap(checkPowerCut) },
  { name: 'a clock that jumps', run: () => [1_000, 3_600_000, 86_400_001].flatMap(checkJump) },
];
