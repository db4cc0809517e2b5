/** `node build/test/sim/disk/hunt-journal.js [FROM [COUNT]]`: seeds of `runJournal`, one after another; stops at none. */
import { runJournal } from './journal-run.js';

const print = (text: string) => process.stdout.write(`${text}\n`);

const from = Number(process.argv[2] ?? 1);
const count = Number(process.argv[3] ?? 1000);
const begun = process.cpuUsage();
let failed = 0;
let lives = 0;
let cuts = 0;
let events = 0;
const injected = new Map<string, number>();
for (let seed = from; seed < from + count; seed++) {
  const run = await runJournal(seed, { trace: count === 1 });
  lives += run.lives;
  cuts += run.powerCuts;
  events += run.world.events;
  for (const [kind, times] of run.world.faults.injected)
    injected.set(kind, (injected.get(kind) ?? 0) + times);
  if (count === 1) print(run.world.trace.lines.join('\n'));
  if (run.failure === undefined) continue;
  failed++;
  print(`seed ${seed}: ${count === 1 ? (run.failure as Error).stack : String(run.failure)}`);
}
const { user, system } = process.cpuUsage(begun);
const ms = (user + system) / 1000;
print(
  `${count} seeds, ${failed} failed, ${lives} lives, ${cuts} power cuts, ${events} events, ${(ms / count).toFixed(1)} ms a seed`,
);
print(JSON.stringify(Object.fromEntries([...injected].sort())));
