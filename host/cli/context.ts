/** What commands have in common: options, files of the configuration, and the machine's ports. */
import type { Command } from 'commander';
import { type BrokerAccess, loadConfig, readBrokerAccess } from '../config/load.js';
import type { Config } from '../config.js';
import { Fault } from '../fault.js';
import { Keyring } from '../keyring/file.js';
import { privateFiles } from '../node/private-files.js';
import { systemTerminal } from '../node/terminal.js';
import { readTextFile } from '../node/text-file.js';
import { Output, type Terminal } from './output.js';

export interface ConfigOption {
  readonly config?: string;
}

export interface JsonOption {
  readonly json?: boolean;
}

/** Adds `--config FILE`. */
export function withConfig(command: Command): Command {
  return command.option(
    '--config <file>',
    'configuration (default: config.yaml here, then /etc/sovereign/config.yaml)',
  );
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'one JSON object a line');
}

/** The configuration that `--config` names, or the one that is found. @throws Fault */
export function configOf(options: ConfigOption): Promise<Config> {
  return loadConfig(readTextFile, process.cwd(), options.config);
}

/** @throws Fault */
export function keyringOf(config: Config): Promise<Keyring> {
  return Keyring.load(config.keyringFile, privateFiles);
}

/** User name, password and TLS texts of the uplink. @throws Fault */
export function brokerAccessOf(config: Config): Promise<BrokerAccess> {
  if (config.uplink === undefined)
    throw new Fault(
      'uplink-missing',
      `${config.file} has no uplink`,
      'add uplink: { broker: mqtt://HOST:1883 }',
    );
  return readBrokerAccess(readTextFile, config.uplink);
}

export function outputOf(options: JsonOption, terminal: Terminal = systemTerminal): Output {
  return new Output(terminal, { json: options.json });
}

/** Wrong usage that commander can't see: ends with status 2. */
export function usageFault(message: string, remedy = ''): Fault {
  return new Fault('usage', message, remedy);
}

/** An option's whole number within bounds. */
export function wholeOption(name: string, min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw usageFault(`${name}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`);
    return value;
  };
}
