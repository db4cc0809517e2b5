import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { run } from '../support/program.js';

const READINGS = 20;

test.serial(
  'start shows verified readings, ends after as many as were asked for, and does so again',
  async t => {
    const directory = await mkdtemp(join(tmpdir(), 'sovereign-start-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const seen = new Set<string>();
    for (const epoch of ['0', '1']) {
      const { code, lines, errors } = await run(['start', '--readings', `${READINGS}`, '--rate', '5'], {
        cwd: directory,
      });
      t.is(code, 0, errors);
      t.is(lines.length, READINGS, errors);
      for (const line of lines) {
        const [, device, itsEpoch, seq] = line.split('\t');
        t.regex(device!, /^[0-9a-f]{16}$/);
        t.is(itsEpoch, epoch, 'the second run is a reboot of the same devices');
        seen.add(`${device}/${itsEpoch}/${seq}`);
      }
    }
    t.is(seen.size, 2 * READINGS, 'each reading once');
    t.regex(await readFile(join(directory, '.sovereign', 'log.txt'), 'utf8'), /gateway-stopped/);
  },
);
