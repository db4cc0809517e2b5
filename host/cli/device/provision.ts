/**
 * `sovereign device provision`: keys, a name and settings for a board on a cable.
 *
 * In which order, so that a cut anywhere leaves no board with keys that nobody has, and nothing to be mended by
 * hand:
 *
 *   1. the keyring gets the entry, marked pending    cut after it: an entry that no board answers to. Harmless, and
 *                                                    listed as pending.
 *   2. the board gets keys and settings              cut in the board: it has all of them or takes keys again
 *                                                    (firmware/provisioning.ts). Cut here: the board has them, and
 *                                                    so has the keyring; the gateway serves it, pending or not.
 *   3. the board's answer is held against the keys, and the mark is taken away
 *
 * The other way round, a cut between the board and the keyring would leave a board that says "provisioned already"
 * with keys that are nowhere: the root is not stored, so only the button would help. What was handed out stays in the
 * keyring, also when the board seems to refuse: what a cable brings may be the late answer to an earlier question, from
 * a board that takes the keys after all. Such an entry is pending and harmless, and running the command again settles
 * it, since the board names its id.
 */
import {
  type BoardAnswer,
  type BoardSettings,
  encodeSettings,
  fromHex,
  keyCheck,
  toHex,
} from '../../../firmware/seal/index.js';
import { Fault } from '../../fault.js';
import { editKeyring } from '../../keyring/edit.js';
import type { KeyringEntry } from '../../keyring/entry.js';
import type { PrivateFiles } from '../../keyring/files.js';
import { type DeviceKeys, entryFor, newDeviceKeys } from '../../keyring/provision.js';
import { nodeDigest } from '../../node/digest.js';
import type { Random } from '../../ports.js';
import type { BoardTalk } from './board-talk.js';

export interface ProvisionPorts {
  readonly files: PrivateFiles;
  readonly random: Random;
  readonly talk: BoardTalk;
  /** Says a step to people. */
  readonly step: (text: string) => void;
}

export interface ProvisionOptions {
  readonly port: string;
  readonly keyringFile: string;
  /** Wished for; otherwise made from the board's. */
  readonly name?: string;
  /** All but the name. */
  readonly settings: Omit<BoardSettings, 'name'>;
}

export interface ProvisionedDevice {
  readonly device: string;
  readonly name: string;
  readonly board: string;
  readonly firmware: string;
  /** It had its keys from an earlier run, whose end was never seen. */
  readonly resumed: boolean;
}

const HOLD_BUTTON = 'to give it a new identity, hold its button while it starts, and run this again';

/** @throws Fault; see the codes below */
export async function provisionBoard(
  options: ProvisionOptions,
  ports: ProvisionPorts,
): Promise<ProvisionedDevice> {
  const { talk, step } = ports;
  const board = await talk.who();
  if ('silent' in board) throw nobody(options.port, talk, board.silent);
  step(`${options.port} is a ${board.board} with ${board.firmware}, ${board.state}`);
  if (!board.open) return settled(board, options, ports);
  if (board.state === 'provisioned' && board.id !== undefined)
    step(`its button was held: it gives up the identity ${toHex(board.id)}, with what it still holds for it`);

  const { keys, entry } = await reserve(board, options, ports);
  step(`${entry.name} gets the id ${keys.id}; its keys are in the keyring, pending`);
  const answer = await hand(keys, { ...options.settings, name: entry.name }, ports);
  if (answer !== '') {
    throw new Fault(
      'board-refused',
      `the board on ${options.port} did not take its keys: ${answer}; the keyring has them as pending, under ${entry.name}`,
      `run this again; sovereign device remove ${keys.id} gives the entry up`,
    );
  }
  step('the board has read its keys back, and they are the right ones');
  await confirm(keys.id, options, ports);
  return describe(board, entry, false);
}

/** A board that takes no keys now: its work is done already, or there is something to be said. */
async function settled(
  board: BoardAnswer,
  options: ProvisionOptions,
  ports: ProvisionPorts,
): Promise<ProvisionedDevice> {
  const { port } = options;
  const id = board.id === undefined ? '' : toHex(board.id);
  if (board.state === 'fault')
    throw new Fault(
      'board-fault',
      `the board on ${port}${id === '' ? '' : ` (${id})`} was provisioned and has lost its keys`,
      HOLD_BUTTON,
    );
  const entry = await editKeyring(ports.files, options.keyringFile, draft =>
    draft.taken(id) ? draft.entry(id) : undefined,
  );
  if (entry?.pending) {
    ports.step(`it took its keys in an earlier run: they are those of ${entry.name}`);
    await confirm(id, options, ports);
    return describe(board, entry, true);
  }
  throw new Fault(
    'board-provisioned',
    entry === undefined
      ? `the board on ${port} is provisioned already, as ${id}, which this keyring does not have`
      : `the board on ${port} is provisioned already: it is ${entry.name} (${id})`,
    HOLD_BUTTON,
  );
}

/** Step 1. */
function reserve(
  board: BoardAnswer,
  options: ProvisionOptions,
  ports: ProvisionPorts,
): Promise<{ keys: DeviceKeys; entry: KeyringEntry }> {
  return editKeyring(ports.files, options.keyringFile, draft => {
    const keys = newDeviceKeys(ports.random, nodeDigest, id => draft.taken(id));
    const wish = board.board.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 48) || 'device';
    const name = options.name ?? draft.freeName(`${wish}-${keys.id.slice(0, 4)}`);
    const entry = { ...entryFor(keys, name), pending: true as const };
    const fault = encodeSettings({ ...options.settings, name });
    if (typeof fault === 'string') throw new Fault('usage', fault);
    try {
      draft.add(entry);
    } catch (error) {
      const other = [...draft.entries()].find(one => one.name === name);
      if (!(error instanceof Fault) || error.code !== 'name-taken' || !other?.pending) throw error;
      throw new Fault(
        'name-taken',
        `the name ${name} is that of ${other.id}, whose board has not confirmed its keys`,
        `plug that board in and run this again, or give it up with: sovereign device remove ${other.id}`,
        error,
      );
    }
    return { keys, entry };
  });
}

/** Step 2. @returns '' when the board has the keys, else why it took none. @throws Fault when nobody can tell */
async function hand(keys: DeviceKeys, settings: BoardSettings, ports: ProvisionPorts): Promise<string> {
  const id = fromHex(keys.id)!;
  const { chain, down } = keys;
  const expected = toHex(keyCheck(nodeDigest, id, chain, down));
  let silence = '';
  for (let attempt = 0; attempt < 2; attempt++) {
    const answer = await ports.talk.provision({ id, chain, down, settings });
    if ('silent' in answer) silence = answer.silent;
    else if (!answer.ok) {
      if (attempt === 0) return answer.reason;
      throw untold(answer.reason); // perhaps because it has taken them meanwhile
    } else if (toHex(answer.id) === keys.id && toHex(answer.check) === expected) return '';
    else throw untold('it answers for other keys than it was given');
    // The answer was lost, or the keys never came: the board knows.
    const board = await ports.talk.who();
    if ('silent' in board) throw untold(board.silent);
    const ours = board.id !== undefined && toHex(board.id) === keys.id;
    if (ours && board.state === 'provisioned') return '';
    if (!board.open) throw untold(`it says ${board.state} now`);
  }
  throw untold(silence);

  function untold(why: string): Fault {
    return new Fault(
      'board-silent',
      `the board has not confirmed its keys (${why}); the keyring has them as pending, under ${settings.name}`,
      'plug the board in again and run the same command: the board tells whether it has them',
    );
  }
}

/** Step 3. */
async function confirm(id: string, options: ProvisionOptions, ports: ProvisionPorts): Promise<void> {
  try {
    await editKeyring(ports.files, options.keyringFile, draft => {
      const entry = draft.entry(id);
      if (entry === undefined) return;
      const { pending: _, ...confirmed } = entry;
      draft.replace(confirmed);
    });
  } catch (error) {
    const cause = error instanceof Fault ? error : undefined;
    throw new Fault(
      'keyring-pending',
      `the board has its keys, and so has the keyring, but the mark "pending" stays there: ${cause?.message ?? String(error)}`,
      'the gateway can serve it as it is; run this again to take the mark away',
      error,
    );
  }
}

function nobody(port: string, talk: BoardTalk, why: string): Fault {
  if (why !== 'no answer')
    return new Fault('port-lost', `${port} has gone: ${why}`, 'look at the cable, and run this again');
  if (talk.deviceFrames > 0)
    return new Fault(
      'board-old',
      `the board on ${port} sends readings and does not answer: its firmware is older than this program`,
      'flash it anew with sovereign flash',
    );
  const heard =
    talk.receivedBytes > 0 ? `it sent ${talk.receivedBytes} bytes that say nothing here` : 'it sent nothing';
  return new Fault(
    'board-unknown',
    `nothing on ${port} answers as a Sovereign board; ${heard}`,
    'look whether this is the right port (ls /dev/serial/by-id); sovereign flash --board NAME puts the firmware on a board',
  );
}

const describe = (board: BoardAnswer, entry: KeyringEntry, resumed: boolean): ProvisionedDevice => ({
  device: entry.id,
  name: entry.name,
  board: board.board,
  firmware: board.firmware,
  resumed,
});
