import type { Defect } from './defect.js';
import { FETCH_DEFECTS } from './defects-fetch.js';
import { FIRMWARE_DEFECTS } from './defects-firmware.js';
import { INTAKE_DEFECTS } from './defects-intake.js';
import { JOURNAL_DEFECTS } from './defects-journal.js';
import { OPERATED_DEFECTS } from './defects-operated.js';
import { SUBSCRIBER_DEFECTS } from './defects-subscriber.js';
import { UPLINK_DEFECTS } from './defects-uplink.js';

export const DEFECTS: readonly Defect[] = [
  ...JOURNAL_DEFECTS,
  ...UPLINK_DEFECTS,
  ...FETCH_DEFECTS,
  ...INTAKE_DEFECTS,
  ...FIRMWARE_DEFECTS,
  ...SUBSCRIBER_DEFECTS,
  ...OPERATED_DEFECTS,
];
