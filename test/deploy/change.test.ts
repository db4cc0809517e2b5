/** What change.sh does when it is ended, with stand-ins for what it tells the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const CHANGE = fileURLToPath(new URL('../../../host/deploy/change.sh', import.meta.url));

const SCRIPT = `
set -euo pipefail
PREFIX=$1 UNITS=$1 UNIT=unit TIMER=timer SETTLE=settle BOOT_SECONDS=60 HEALTHY_SECONDS=60 STEADY_SECONDS=0
CHANGED=no CHANGING=no BACK_TO='' FRESH=() DO=$2
. ${CHANGE}
check_tools() { :; }
say() { echo "$*"; }
switch_to() { echo "switch to $1" && BACK=$1; }
take_up_rules() { :; }
start_anew() { :; }
systemctl() { :; }
is_healthy() { echo watching && [ "$BACK" = old ]; }
trap leave EXIT
trap 'exit 143' TERM
if [ $DO = settle ]; then settle; else change_to new old; fi
`;

/** Ended while a new version is watched: what it said, and which version it says has still to be gone back to. */
async function ended(t: ExecutionContext, what: 'settle' | 'install_or_upgrade') {
  const prefix = await mkdtemp(join(tmpdir(), 'change-'));
  t.teardown(() => rm(prefix, { recursive: true }));
  for (const release of ['old', 'new']) await mkdir(join(prefix, 'releases', release), { recursive: true });
  await symlink('releases/new', join(prefix, 'current'));
  await writeFile(join(prefix, 'pending'), 'old');
  const bash = spawn('bash', ['-c', SCRIPT, 'bash', prefix, what], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  bash.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.includes('watching')) bash.kill('SIGTERM');
  });
  const [code] = await once(bash, 'close');
  t.is(code, 143);
  return { out, pending: await readFile(join(prefix, 'pending'), 'utf8').catch(() => 'none') };
}

test('a machine that is shut down while a broken-off change is watched leaves that to its next start', async t => {
  const { out, pending } = await ended(t, 'settle');
  t.regex(out, /switch to new/);
  t.notRegex(out, /switch to old/);
  t.is(pending, 'old');
});

test('whoever ends the installer has the version before', async t => {
  const { out, pending } = await ended(t, 'install_or_upgrade');
  t.regex(out, /switch to new[\s\S]*switch to old/);
  t.is(pending, 'none');
});
