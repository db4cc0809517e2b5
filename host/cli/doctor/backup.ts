/** Whether an installed gateway is backed up, and how long ago. */
import { newestBackup } from '../../backup/output.js';
import type { Config } from '../../config.js';
import { systemCode } from '../../fault.js';
import { isDirectory } from '../../node/backup-ports.js';
import { systemClock } from '../../node/clock.js';
import { NodeStorage } from '../../node/storage.js';
import { durationText } from '../../texts.js';
import type { Finding } from './finding.js';

/** Where the units of host/deploy/systemd have them. */
const PLACES = { key: '/etc/sovereign/backup.key', directory: '/var/backups/sovereign' };
const UNIT = 'sovereign-backup';
/** The timer makes one every four hours: three have been missed. */
const LATE_MS = 12 * 3600_000;

/** @param installed the gateway is a service; any other is backed up by whoever runs it */
export async function checkBackups(
  { site, gateway }: Pick<Config, 'site' | 'gateway'>,
  installed: boolean,
  { key, directory } = PLACES,
): Promise<Finding[]> {
  if (!installed) return [];
  const note = (text: string, remedy: string): Finding[] => [
    { check: 'backup', state: 'note', text, remedy },
  ];
  try {
    if ((await isDirectory(key)) === undefined)
      return note(
        `there is no ${key}, so the timer makes no backups`,
        `sovereign backup key --output backup.key; put the line that it prints into ${key}, and the file somewhere else`,
      );
    const newest = newestBackup(await new NodeStorage().list(directory), site, gateway);
    const why = `systemctl start ${UNIT}; journalctl -u ${UNIT} -n 20 says why when that fails`;
    if (newest === undefined) return note(`there is no backup of ${gateway} in ${directory}`, why);
    const ageMs = systemClock.now() - newest;
    const text = `the newest in ${directory} is ${durationText(ageMs)} old`;
    return ageMs > LATE_MS ? note(text, why) : [{ check: 'backup', state: 'ok', text }];
  } catch (error) {
    return note(`can't look into ${directory}: ${systemCode(error) || String(error)}`, 'run this as root');
  }
}
