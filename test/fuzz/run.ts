/**
 * The long run: `npm run fuzz -- [--cases N] [--target NAME] [--seed N]`, a million cases of each target unless told
 * otherwise, shared out among its properties. One line a property; ends with status 1 at the first that does not hold.
 */
import { parseArgs } from 'node:util';
import { targets } from './targets.js';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    target: { type: 'string' },
    seed: { type: 'string' },
  },
});
const cases = Number(values.cases);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const chosen = targets.filter(({ name }) => values.target === undefined || values.target === name);
if (!(cases > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  process.stderr.write(
    `--cases and --seed are whole numbers, --target one of ${targets.map(t => t.name).join(', ')}\n`,
  );
  process.exit(2);
}

/** What a run may hold at most, fast-check and V8 included: no reader may take what its input claims. */
const MAX_RSS_BYTES = 768 * 1024 * 1024;
const PORTION = 100_000;
// A million refusals are errors inside the YAML library: their stacks would be most of the work.
Error.stackTraceLimit = 4;
const say = (line: string) => process.stdout.write(`${line}\n`);

say(`seed ${seed}`);
say('| target | property | cases | taken | seconds | held after, MiB |');
say('|---|---|---|---|---|---|');
for (const { name, properties } of chosen) {
  for (const property of properties) {
    const began = process.hrtime.bigint();
    const total = { cases: 0, accepted: 0 };
    let held = 0;
    const share = Math.ceil(cases / properties.length);
    for (let done = 0; done < share; done += PORTION) {
      const tally = await property.run(Math.min(PORTION, share - done), (seed + done) | 0);
      total.cases += tally.cases;
      total.accepted += tally.accepted;
      const { heapUsed, external } = process.memoryUsage();
      held = Math.max(held, heapUsed + external);
    }
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    const taken = `${((100 * total.accepted) / total.cases).toFixed(1)} %`;
    say(
      `| ${name} | ${property.name} | ${total.cases} | ${taken} | ${seconds.toFixed(0)} | ${Math.ceil(held / 2 ** 20)} |`,
    );
    const rss = process.resourceUsage().maxRSS * 1024;
    if (rss > MAX_RSS_BYTES) throw new Error(`${name}: the process has held ${rss} bytes`);
  }
}
