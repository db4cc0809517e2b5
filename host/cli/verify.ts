/** `sovereign verify FILE…`: are these readings what devices have sealed? */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Fault } from '../fault.js';
import { Keyring } from '../keyring/file.js';
import { nodeDigest } from '../node/digest.js';
import { privateFiles } from '../node/private-files.js';
import { readBytesFile } from '../node/text-file.js';
import type { JsonRecord } from '../subscriber/records.js';
import {
  type ConfigOption,
  configOf,
  type JsonOption,
  keyringOf,
  outputOf,
  withConfig,
  withJson,
} from './context.js';
import { type Output, printable, type Terminal } from './output.js';
import { itemsOf } from './verify/input.js';
import { Judge, type Verdict } from './verify/judge.js';

interface VerifyOptions extends ConfigOption, JsonOption {
  readonly keyring?: string;
}

const MAX_FILE_BYTES = 1024 * 1024 * 1024;
const PROGRESS_EVERY = 1000;

interface Counts {
  verified: number;
  failed: number;
  repeated: number;
  missing: number;
  gaps: number;
  torn: number;
}

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('verify')))
    .argument('<file...>', 'envelopes, CBOR sequences of them, or segments of a journal; - is standard input')
    .description('verify readings offline; status 1 when any of them fails')
    .option('--keyring <file>', 'verify with this keyring (default: that of the configuration)')
    .action((files: string[], options: VerifyOptions) => verify(files, options, outputOf(options, terminal)));
}

async function verify(files: readonly string[], options: VerifyOptions, output: Output): Promise<void> {
  const keyring =
    options.keyring === undefined
      ? await keyringOf(await configOf(options))
      : await Keyring.load(resolve(options.keyring), privateFiles);
  const judge = new Judge(keyring, nodeDigest);
  const counts: Counts = { verified: 0, failed: 0, repeated: 0, missing: 0, gaps: 0, torn: 0 };
  for (const file of files) await verifyFile(file, judge, counts, output);
  output.progress('');
  await output.note(summary(counts));
  if (counts.failed > 0)
    throw new Fault('verify-failed', `${counts.failed} of ${counts.failed + counts.verified} did not verify`);
}

async function verifyFile(file: string, judge: Judge, counts: Counts, output: Output): Promise<void> {
  const path = file === '-' ? '/dev/stdin' : resolve(file);
  const bytes = await readBytesFile(path, MAX_FILE_BYTES);
  if (bytes === undefined)
    throw new Fault('file-missing', `there is no file ${path}`, 'give the path of a file');
  if (bytes.length === 0) {
    counts.failed += 1;
    return report(output, file, 0, { ok: false, reason: 'empty' });
  }
  for await (const item of itemsOf(bytes)) {
    if (item.kind === 'payload') {
      const verdict = judge.judge(item.bytes, item.line);
      count(counts, verdict);
      await report(output, file, item.at, verdict);
      if ((counts.verified + counts.failed) % PROGRESS_EVERY === 0) output.progress(summary(counts));
    } else if (item.kind === 'broken') {
      counts.failed += 1;
      await report(output, file, item.at, { ok: false, reason: item.reason });
    } else if (item.kind === 'gap') counts.gaps += 1;
    else counts.torn += 1;
  }
}

function count(counts: Counts, verdict: Verdict): void {
  if (!verdict.ok) counts.failed += 1;
  else {
    counts.verified += 1;
    counts.missing += verdict.missing;
    if (verdict.repeated) counts.repeated += 1;
  }
}

type Reported = Verdict | { readonly ok: false; readonly reason: 'empty' | 'line' | 'cbor' | 'truncated' };

function report(output: Output, file: string, at: number, verdict: Reported): Promise<void> {
  if (!verdict.ok) {
    const { device, epoch, seq } = verdict as { device?: string; epoch?: number; seq?: number };
    if (output.json)
      return output.object({ file, at, ok: false, reason: verdict.reason, device, epoch, seq });
    const claimed = device === undefined ? '' : `  claims ${device} ${epoch}:${seq}`;
    const word = output.style('red', 'FAILED');
    return output.line(`${word}  ${printable(file)} at ${at}  ${explain(verdict.reason)}${claimed}`);
  }
  const { device, name, epoch, seq, sha256, unixMs, records } = verdict;
  const time = unixMs < 0 ? null : new Date(unixMs).toISOString();
  if (output.json)
    return output.object({ file, at, ok: true, device, name, epoch, seq, sha256, time, records });
  const word = output.style(verdict.repeated ? 'dim' : 'green', verdict.repeated ? 'again ' : 'ok    ');
  const values = records.map(recordText).join('  ');
  return output.line(
    `${word}  ${output.style('bold', printable(name))} ${epoch}:${seq}  ${time ?? '-'}  ${values}`,
  );
}

function recordText({ n, u, v, vs, vb, vd }: JsonRecord): string {
  const value = v ?? vb ?? vd ?? (vs === undefined ? '' : JSON.stringify(vs));
  return printable(`${n}=${value}${u === undefined ? '' : ` ${u}`}`);
}

const REASONS: Readonly<Record<string, string>> = {
  mac: 'the seal is not that of this device: altered, or forged',
  'unknown-device': 'the keyring has no such device',
  'too-old': 'the epoch lies before what the keyring can verify',
  'too-far': 'the epoch lies too far past what the keyring knows; export one with --epoch',
  budget: 'too many far epochs in these files',
  fork: 'another reading stands in the same place, or the one before is not the one it names',
  'line-mismatch': 'the line speaks of another reading than it holds',
  line: 'the line is damaged',
  cbor: 'no CBOR; what follows cannot be read',
  truncated: 'the file ends within the reading',
  empty: 'the file is empty',
};

const explain = (reason: string) => REASONS[reason] ?? `no reading of this version (${reason})`;

function summary({ verified, failed, repeated, missing, gaps, torn }: Counts): string {
  const parts = [`${verified} verified`, `${failed} failed`];
  if (repeated > 0) parts.push(`${repeated} of them again`);
  if (missing > 0) parts.push(`${missing} missing in between`);
  if (gaps > 0) parts.push(`${gaps} gaps recorded`);
  if (torn > 0) parts.push('a torn end, which is normal after a crash');
  return parts.join(', ');
}
