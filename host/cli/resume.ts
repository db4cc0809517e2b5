/** `sovereign resume`: publishing goes on after a pause. */
import type { Command } from 'commander';
import { ask } from './ask.js';
import { type ConfigOption, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import type { Terminal } from './output.js';
import { sayUplink } from './uplink-answer.js';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('resume')))
    .description('publish again after a pause')
    .action(async (options: ConfigOption & JsonOption) =>
      sayUplink(outputOf(options, terminal), await ask(options, 'resume', {})),
    );
}
