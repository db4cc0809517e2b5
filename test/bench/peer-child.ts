/**
 * One store of readings in a process of its own, so that it can be killed: `node peer-child.js fill|read KIND DIRECTORY [COUNT GROUP]`.
 * `fill` stores readings in groups, each durable before the next begins, and says how many are; `read` reads what there is
 * in order. Both say last how many it was and how many ms it took.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ReadingEntry } from '../../host/journal/entry.js';
import { Journal } from '../../host/journal/journal.js';
import { systemClock } from '../../host/node/clock.js';
import { silentLog } from '../../host/node/log.js';
import { NodeStorage } from '../../host/node/storage.js';
import { readings } from './journal.js';

interface Store {
  /** Resolves when they are durable. */
  put(group: readonly ReadingEntry[]): Promise<void> | void;
  /** Reads everything in order. */
  count(): Promise<number> | number;
}

const READ_AT_ONCE = 256;
const MAP_BYTES = 2 ** 34;

async function journal(directory: string): Promise<Store> {
  const ports = { storage: new NodeStorage(), clock: systemClock, log: silentLog };
  const opened = await Journal.open(ports, { directory });
  let durable = 0;
  let told = () => {};
  opened.onDurable(batch => {
    durable += batch.length;
    told();
  });
  let wanted = 0;
  return {
    put: group => {
      for (const entry of group) if (!opened.append(entry)) throw new Error('the journal takes no more');
      wanted += group.length;
      return new Promise(resolve => {
        told = () => durable === wanted && resolve();
      });
    },
    count: async () => {
      const reader = opened.reader(1);
      for (let count = 0; ; ) {
        const entries = await reader.next(READ_AT_ONCE);
        if (entries.length === 0) return count;
        count += entries.length;
      }
    },
  };
}

/** Of the packages that measure peers, which nobody needs to have: from the folder that SOVEREIGN_PEERS names, or from here. */
export function requirePeer(name: string): unknown {
  const from = process.env.SOVEREIGN_PEERS;
  return createRequire(from === undefined ? import.meta.url : join(from, 'peers.js'))(name);
}

interface Sqlite {
  exec(sql: string): void;
  prepare(sql: string): { run(...values: unknown[]): void; iterate(...values: unknown[]): Iterable<unknown> };
}

function sqlite(directory: string): Store {
  const Database = requirePeer('libsql') as new (path: string) => Sqlite;
  const database = new Database(join(directory, 'readings.sqlite'));
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS readings (o INTEGER PRIMARY KEY, t INTEGER, l TEXT, d TEXT, e INTEGER, q INTEGER, b BLOB)',
  );
  const insert = database.prepare('INSERT INTO readings (t, l, d, e, q, b) VALUES (?, ?, ?, ?, ?, ?)');
  const select = database.prepare('SELECT o, t, l, d, e, q, b FROM readings ORDER BY o');
  return {
    put: group => {
      database.exec('BEGIN');
      for (const { at, link, device, epoch, seq, bytes } of group)
        insert.run(at, link, device, epoch, seq, bytes);
      database.exec('COMMIT');
    },
    count: () => {
      let count = 0;
      for (const _ of select.iterate()) count++;
      return count;
    },
  };
}

interface Lmdb {
  open(options: object): {
    put(key: number, value: unknown): void;
    transactionSync(work: () => void): void;
    getRange(): Iterable<unknown>;
    getKeys(options: object): Iterable<number>;
  };
}

function lmdb(directory: string): Store {
  const { open } = requirePeer('lmdb') as Lmdb;
  // Not `overlappingSync`: a group is synced when its transaction returns.
  const database = open({ path: directory, mapSize: MAP_BYTES, overlappingSync: false, noMemInit: true });
  let [next = 0] = database.getKeys({ reverse: true, limit: 1 });
  return {
    put: group =>
      database.transactionSync(() => {
        for (const { at, link, device, epoch, seq, bytes } of group)
          database.put(++next, [at, link, device, epoch, seq, bytes]);
      }),
    count: () => {
      let count = 0;
      for (const _ of database.getRange()) count++;
      return count;
    },
  };
}

const STORES: Record<string, (directory: string) => Promise<Store> | Store> = { journal, sqlite, lmdb };

async function main([mode, kind, directory, count, group]: string[]): Promise<void> {
  const store = await STORES[kind](directory);
  const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
  let began = performance.now();
  if (mode === 'read') {
    const held = await store.count();
    say({ held, ms: performance.now() - began });
    return;
  }
  let spentMs = 0;
  for (let done = 0; done < Number(count); done += Number(group)) {
    const entries = readings(Number(group), done);
    began = performance.now();
    await store.put(entries);
    spentMs += performance.now() - began;
    say({ stored: done + Number(group) });
  }
  say({ held: Number(count), ms: spentMs });
}

if (process.argv[2] === 'fill' || process.argv[2] === 'read') {
  await main(process.argv.slice(2));
  process.exit(0);
}
