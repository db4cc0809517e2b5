/** `sovereign tail`: readings as the running gateway journals them. */
import type { Command } from 'commander';
import type { DecodedReading } from '../control/calls.js';
import type { JsonRecord } from '../subscriber/json-record.js';
import { follow } from './ask.js';
import { type ConfigOption, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import { type Output, printable, type Terminal } from './output.js';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('tail')))
    .description('print readings as they become durable in the journal, until it is stopped')
    .argument('[device]', 'its id or its name; all when absent')
    .action((device: string | undefined, options: ConfigOption & JsonOption) =>
      tail(device, options, outputOf(options, terminal)),
    );
}

async function tail(
  device: string | undefined,
  options: ConfigOption & JsonOption,
  output: Output,
): Promise<void> {
  await follow(options, 'tail', device === undefined ? {} : { device }, {
    item: reading => (output.json ? output.object(reading) : output.line(lineOf(reading, output))),
    lost: count => output.note(`${count} readings came too fast and are left out here; the journal has them`),
  });
}

function lineOf(reading: DecodedReading, output: Output): string {
  const { at, time, device, name, epoch, seq, kind, records } = reading;
  const when = new Date(time ?? at).toISOString();
  const who = printable(name ?? device);
  const cells = output.pretty
    ? [
        output.style('dim', when),
        output.style('cyan', who.padEnd(16)),
        output.style('dim', `${epoch}/${seq}`),
      ]
    : [when, who, `${epoch}/${seq}`];
  if (kind !== undefined) cells.push(output.style('yellow', kind));
  return [...cells, ...records.map(record => recordText(record, output))].join(output.pretty ? '  ' : '\t');
}

function recordText({ n, u, v, vs, vb, vd }: JsonRecord, output: Output): string {
  const value = printable(String(v ?? vs ?? vb ?? vd ?? ''));
  const unit = u === undefined ? '' : ` ${printable(u)}`;
  return `${printable(n)} ${output.style('bold', value)}${unit}`;
}
