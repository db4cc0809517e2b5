/** The firmware's own device code against the intake, over a link that drops, doubles, delays and corrupts. */
import test from 'ava';
import { toHex } from '../../../firmware/seal/index.js';
import { freshSeed } from '../../support/prng.js';
import { Board, run, settle } from './boards.js';
import { identity, Rig } from './rig.js';

test('every reading that a device seals is journalled once and in order, and receipted only then', async t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const owners = [1, 2, 3].map(identity);
  const rig = await Rig.start(
    t,
    owners.map(owner => owner.entry()),
  );
  const boards = owners.map((owner, i) => new Board(rig, owner, seed + i));
  for (const board of boards) {
    board.boot();
    board.trouble = { drop: 0.1, duplicate: 0.1, corrupt: 0.1, delay: 0.2 };
  }
  await run(rig, boards, 20_000);
  boards[1].connect(); // the cable was pulled and put back
  await run(rig, boards, 5_000);
  rig.stalled = true; // the disk refuses for a while
  await run(rig, boards, 5_000);
  rig.stalled = false;
  await settle(rig, boards);
  for (const [i, board] of boards.entries()) {
    const stored = rig.durable
      .filter(({ device }) => device === owners[i].idText)
      .map(entry => (entry.kind === 'reading' ? `${entry.epoch}/${entry.seq} ${toHex(entry.bytes)}` : 'gap'));
    t.true(board.sealed.length > 300, `${board.sealed.length}`);
    t.deepEqual(stored, board.sealed, `device ${i}`);
    t.deepEqual(board.receipted, board.sealed);
    t.is(board.lost, 0);
  }
  t.is(rig.count('fork'), 0);
  t.is(rig.count('advances'), 0);
});

test('a board that restarts goes on in its next epoch; what it had not sent is a gap', async t => {
  const owner = identity();
  const rig = await Rig.start(t, [owner.entry()]);
  const board = new Board(rig, owner, 5);
  board.boot();
  await run(rig, [board], 3_000);
  board.boot();
  await run(rig, [board], 3_000);
  await settle(rig, [board]);
  const story = rig.story();
  const gap = story.findIndex(line => line.startsWith('gap'));
  t.regex(story[gap], /^gap 0\/\d+\.\.1\/0$/);
  t.is(story[gap + 1], '1/0');
  t.is(story.filter(line => line.startsWith('gap')).length, 1);
  t.is(rig.device(owner).restart, 'power-on');
});
