/** `sovereign pause`: nothing is published for a while, and everything is kept. */
import type { Command } from 'commander';
import { ask } from './ask.js';
import { type ConfigOption, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import type { Terminal } from './output.js';
import { sayUplink } from './uplink-answer.js';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('pause')))
    .description(
      'publish nothing until resume or the next start of the gateway; readings are taken in and kept',
    )
    .action(async (options: ConfigOption & JsonOption) =>
      sayUplink(outputOf(options, terminal), await ask(options, 'pause', {})),
    );
}
