/** `sovereign device …`: the keyring. */
import type { Command } from 'commander';
import {
  type ConfigOption,
  type JsonOption,
  outputOf,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import { type AddOptions, add } from './device/add.js';
import { list, type ResyncOptions, remove, resync } from './device/edit.js';
import { type ExportOptions, exportKeyring } from './device/export.js';
import { own } from './device/own.js';
import { type ProvisionCommandOptions, provision } from './device/provision-command.js';
import type { Terminal } from './output.js';

const baudOption = wholeOption('--baud', 300, 4_000_000);
const epochOption = wholeOption('--epoch', 0, Number.MAX_SAFE_INTEGER);

export function register(program: Command, terminal?: Terminal): void {
  const device = program
    .command('device')
    .description('the keyring and the boards: provision, add, own, list, remove, export, resync');
  const command = (usage: string) => withConfig(withJson(device.command(usage)));

  command('add')
    .description('give a new device an identity and keys, which are printed for its provisioning')
    .option('--name <name>', 'an alias, unique in the keyring')
    .option('--sdk <node>', 'a sensor that speaks sovereign-sdk version 1, by its node name')
    .option('--key-file <file>', 'with --sdk: the key, as the sensor has it')
    .option('--allow-reset', 'with --sdk: let its sequence fall back to 1, which opens a new epoch')
    .action((options: AddOptions) => add(options, outputOf(options, terminal)));

  command('provision')
    .description(
      'give a board on a USB or serial port a new identity, keys, a name and its way to the gateway',
    )
    .requiredOption('--port <port>', 'where the board is, such as /dev/ttyACM0')
    .option('--baud <bits>', 'bits a second of the port (default: 115200)', baudOption)
    .option('--name <name>', 'an alias, unique in the keyring')
    .option('--wifi-ssid <ssid>', 'the network that it joins')
    .option('--wifi-password-file <file>', 'holds the password of that network')
    .option('--gateway <host:port>', 'where the gateway listens for it (links.tcp)')
    .option('--mqtt <url>', 'mqtt://HOST:PORT of a broker that carries its link (links.mqtt)')
    .option('--mqtt-user <name>', 'what the broker knows it as')
    .option('--mqtt-password-file <file>', 'holds its password there')
    .action((options: ProvisionCommandOptions) => provision(options, outputOf(options, terminal)));

  command('own')
    .description(
      'put the gateway itself into the keyring, as the device that its enclosure switch (panel) is',
    )
    .action((options: ConfigOption & JsonOption) => own(options, outputOf(options, terminal)));

  command('list')
    .description('the devices, without their keys')
    .action((options: ConfigOption & JsonOption) => list(options, outputOf(options, terminal)));

  command('remove')
    .argument('<device>', 'id or name')
    .description('forget a device; its id is never used again')
    .action((name: string, options: ConfigOption & JsonOption) =>
      remove(name, options, outputOf(options, terminal)),
    );

  withConfig(device.command('export'))
    .argument('[device...]', 'ids or names (default: all)')
    .description('a keyring for subscribers, which verifies and cannot speak to devices')
    .option('--verify', 'say so: it must be given')
    .option('--epoch <epoch>', 'verify from this epoch on, and nothing earlier', epochOption)
    .option('--output <file>', 'write to a new file at mode 0600 (default: standard output)')
    .action((names: string[], options: ExportOptions) =>
      exportKeyring(names, options, outputOf({}, terminal)),
    );

  command('resync')
    .argument('<device>', 'id or name')
    .description('move the base from which a device is verified')
    .requiredOption('--epoch <epoch>', 'the new base', epochOption)
    .option('--chain <hex>', 'the chain at that epoch (default: derived from the present base)')
    .action((name: string, options: ResyncOptions) => resync(name, options, outputOf(options, terminal)));
}
