import { backup } from './backup.js';
import { cbor } from './cbor.js';
import { config } from './config.js';
import { control } from './control.js';
import type { Target } from './core.js';
import { cursor } from './cursor.js';
import { envelope } from './envelope.js';
import { frame } from './frame.js';
import { journal } from './journal.js';
import { json } from './json.js';
import { keyrings } from './keyring.js';
import { messages } from './message.js';
import { provisioning } from './provisioning.js';
import { sdk } from './sdk.js';
import { sdkLink } from './sdk-link.js';
import { state } from './state.js';
import { uplink } from './uplink.js';
import { web } from './web.js';

/** Everything that reads bytes which somebody else may have made or damaged. */
export const targets: readonly Target[] = [
  cbor,
  envelope,
  frame,
  messages,
  provisioning,
  json,
  sdk,
  sdkLink,
  journal,
  cursor,
  state,
  uplink,
  control,
  web,
  keyrings,
  config,
  backup,
];
