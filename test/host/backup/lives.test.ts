/**
 * Backups taken at random moments, and gateways that die at others: firmware's own device code on bad links, intake and journal as
 * they are, the whole way through a backup, and the history of a subscriber who has had part of what the old gateway took.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { toHex } from '../../../firmware/seal/index.js';
import { parseConfig } from '../../../host/config.js';
import { Cursor } from '../../../host/journal/cursor.js';
import { comparePlaces, ERA_OFFSETS, type ReadingEntry } from '../../../host/journal/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { backupPorts } from '../../../host/node/backup-ports.js';
import { History } from '../../../host/subscriber/history.js';
import { freshSeed, prng } from '../../support/prng.js';
import { Board, run, settle } from '../intake/boards.js';
import { identity, Rig } from '../intake/rig.js';
import { readAll } from '../journal/world.js';
import { prepare, restoreInto, take, temporary } from './rig.js';

const LIVES = 8;
const placeOf = ({ device, epoch, seq }: ReadingEntry) => `${device}/${epoch}/${seq}`;

for (let life = 0; life < LIVES; life++) {
  const seed = Number(process.env.SEED ?? freshSeed());
  test(`life ${life}: nothing counts twice, and what is lost is told`, async t => {
    t.log(`SEED=${seed}`);
    const random = prng(seed);
    const below = (end: number) => Math.floor(random() * end);
    const owners = [1, 2].map(identity);
    const entries = owners.map(owner => owner.entry());
    const old = await Rig.start(t, entries);
    const boards = owners.map((owner, i) => new Board(old, owner, seed + i));
    for (const board of boards) {
      board.boot();
      board.trouble = {
        drop: random() / 5,
        duplicate: random() / 5,
        corrupt: random() / 10,
        delay: random() / 3,
      };
    }
    await run(old, boards, 1000 + below(4000));

    // The backup, and what the gateway takes meanwhile and afterwards.
    const etc = await temporary(t);
    const text = `site: s\ngateway: gw-old\ndata: ${old.directory}\n`;
    const config = parseConfig(text, join(etc, 'config.yaml'));
    await writeFile(config.file, text);
    await writeFile(config.keyringFile, new Keyring(entries).render(), { mode: 0o600 });
    const checkpoint = old.journal.checkpoint();
    const before = old.durable.length;
    const published = below(before + 1);
    const withJournal = random() < 0.5;
    const cursors = {
      uplink: { offset: old.durable[published]?.offset ?? checkpoint.durableOffset, ranges: [] },
    };
    const taking = take({ config }, { ...checkpoint, cursors }, { journal: withJournal });
    await run(old, boards, below(4000));
    const taken = await taking;
    if (random() < 0.3) boards[below(2)].boot();
    await run(old, boards, below(2000));
    await old.stop();
    const oldReadings = old.durable.filter(entry => entry.kind === 'reading');
    // A subscriber has had all up to some moment after the backup.
    const had = old.durable.slice(0, published + below(old.durable.length - published + 1));

    const root = await temporary(t);
    await prepare(root);
    await mkdir(join(root, 'new/var'), { recursive: true });
    await restoreInto(root, taken);
    const data = join(root, 'new/var');
    const cursor = await Cursor.open(backupPorts.storage, join(data, 'cursors'), 'uplink');
    const from = cursor.offset;
    await cursor.close();
    const rig = await Rig.start(t, entries, {}, data);
    const recorded = boards.map(board => [...board.recorded]);
    for (const board of boards) {
      board.device.quiet = random() < 0.7; // else its next reading is there first
      board.moveTo(rig);
    }
    for (let again = 0; again < 5; again++) {
      await run(rig, boards, 600);
      // As it came, in its order, in the middle of a session with the new gateway.
      for (const [i, board] of boards.entries()) board.replay(recorded[i].slice(below(recorded[i].length)));
      await rig.synced();
      for (const board of boards) board.device.quiet = false;
    }
    await settle(rig, boards);

    const taken2 = rig.durable.filter(entry => entry.kind === 'reading');
    for (const { device, epoch, seq, offset } of taken2) {
      const last = checkpoint.positions.get(device);
      t.true(
        !last || comparePlaces(epoch, seq, last.epoch, last.seq) > 0,
        `${device} ${epoch}/${seq} is taken again`,
      );
      t.true(offset > ERA_OFFSETS);
    }
    const bytes = new Map<string, string>();
    for (const entry of [...oldReadings, ...taken2]) {
      const place = placeOf(entry);
      const hex = toHex(entry.bytes);
      t.is(bytes.get(place) ?? hex, hex, `${place} has two contents`);
      bytes.set(place, hex);
    }
    for (const [i, board] of boards.entries()) {
      t.is(board.lost, 0);
      for (const name of board.receipted) {
        const [place, hex] = name.split(' ');
        t.is(bytes.get(`${owners[i].idText}/${place}`), hex, `${place} was receipted`);
      }
    }
    for (const odd of ['fork', 'evidence:stored', 'refused:mac']) t.is(rig.count(odd), 0, odd);

    // What the subscriber makes of it.
    const history = new History();
    const printed = new Set<string>();
    const hear = (entry: ReadingEntry) => {
      const { device, epoch, seq, final } = entry;
      const known = printed.has(placeOf(entry));
      const first = history.topOf(device) === undefined;
      t.is(history.take(device, epoch, seq, final, false), known ? 'seen' : 'new');
      // As a subscriber does: what only the old gateway ever had of a device comes before the first that is heard.
      if (first) history.missBefore(device, 0, 0);
      printed.add(placeOf(entry));
    };
    for (const entry of had) if (entry.kind === 'reading') hear(entry);
    for (const entry of await readAll(rig.journal, from)) if (entry.kind === 'reading') hear(entry);
    const gaps = [...history.gaps()];
    const within = (place: string) => {
      const [device, epoch, seq] = place.split('/');
      return gaps.some(
        gap =>
          gap.device === device &&
          comparePlaces(Number(epoch), Number(seq), gap.fromEpoch, gap.fromSeq) >= 0 &&
          comparePlaces(Number(epoch), Number(seq), gap.toEpoch, gap.toSeq) < 0,
      );
    };
    const unheard = [...bytes.keys()].filter(place => !printed.has(place));
    t.deepEqual(
      unheard.filter(place => !within(place)),
      [],
      'lost, and no gap says so',
    );
    t.deepEqual([...printed].filter(within), [], 'had, and said to be missing');
    t.log(
      `${before} before the backup, ${oldReadings.length} in all, ${taken2.length} after; ${unheard.length} lost`,
    );
  });
}
