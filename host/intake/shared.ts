import type { Digest } from '../../firmware/seal/index.js';
import type { DerivationBudget } from '../keyring/budget.js';
import type { Clock, Log, Random } from '../ports.js';
import type { Acceptor } from './acceptor.js';
import type { Counters } from './counters.js';
import type { Device, Devices } from './devices.js';
import type { DownWriter } from './down.js';
import type { Gate } from './gate.js';
import type { Quarantine } from './quarantine.js';
import type { SettingsBook } from './settings.js';

/** What all links of one gateway have in common. */
export interface Shared {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly digest: Digest;
  readonly gate: Gate;
  readonly down: DownWriter;
  readonly devices: Devices;
  readonly acceptor: Acceptor;
  readonly quarantine: Quarantine;
  readonly counters: Counters;
  /** Absent: devices are told nothing. */
  readonly settings: SettingsBook | undefined;
  /** What a new link may spend on hellos; apart from readings, so that neither starves the other. */
  helloBudget(): DerivationBudget;
  readingBudget(): DerivationBudget;
  /** Something authentic came from the device. */
  seen(device: Device): void;
}
