/** What `sovereign subscribe` says: readings on standard output, everything else on standard error. */
import type { Clock } from '../../ports.js';
import type { OpenedReading } from '../../subscriber/open.js';
import type { JsonRecord } from '../../subscriber/records.js';
import { gapText, type Report } from '../../subscriber/report.js';
import type { SubscriberSink } from '../../subscriber/subscriber.js';
import { type Output, printable } from '../output.js';

/** Lines a second for bytes that failed, so that whoever publishes rubbish does not fill the disk with our words. */
const MAX_REFUSALS_PER_SECOND = 20;
const KINDS = ['', 'start', 'heartbeat', 'final', 'fault', 'loss'];

export class Printer implements SubscriberSink {
  readonly #output: Output;
  readonly #clock: Clock;
  #lines: string[] = [];
  #second = 0;
  #said = 0;
  #unsaid = 0;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  reading(reading: OpenedReading, sha256: string): void {
    if (this.#output.json) this.#lines.push(jsonLine(reading, sha256));
    else this.#lines.push(this.#output.pretty ? this.#pretty(reading) : plainLine(reading));
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join('\n');
    this.#lines = [];
    await this.#output.line(text);
  }

  report(report: Report): void {
    if (report.kind === 'refused' || report.kind === 'stale') this.#limited(reportText(report));
    else this.#note(reportText(report));
  }

  /** Says how many refusals were not said. */
  end(): void {
    if (this.#unsaid > 0) this.#note(`refused: ${this.#unsaid} more`);
    this.#unsaid = 0;
  }

  #pretty({ name, epoch, seq, kind, unixMs, records }: OpenedReading): string {
    const { style } = { style: (...args: Parameters<Output['style']>) => this.#output.style(...args) };
    const time = style('dim', clockText(unixMs));
    const who = style('cyan', printable(name).padEnd(16));
    const place = style('dim', `${epoch}/${seq}`.padEnd(8));
    const why = kind === 0 ? '' : `${style('yellow', KINDS[kind])}  `;
    const what = records.map(r => `${printable(r.n)} ${style('bold', printable(valueText(r)))}`).join('  ');
    return `${style('green', '✓')} ${time}  ${who} ${place} ${why}${what}`;
  }

  #limited(text: string): void {
    const second = Math.floor(this.#clock.monotonic() / 1000);
    if (second !== this.#second) {
      this.end();
      this.#second = second;
      this.#said = 0;
    }
    this.#said++;
    if (this.#said <= MAX_REFUSALS_PER_SECOND) this.#note(text);
    else this.#unsaid++;
  }

  #note(text: string): void {
    this.#output.note(printable(text)).catch(() => undefined);
  }
}

/** `JSON.stringify` of the same object takes twice as long; device, hash and time need no escapes. */
function jsonLine({ device, epoch, seq, records, unixMs }: OpenedReading, sha256: string): string {
  const time = isoTime(unixMs);
  const timeText = time === null ? 'null' : `"${time}"`;
  return `{"device":"${device}","epoch":${epoch},"seq":${seq},"sha256":"${sha256}","time":${timeText},"records":${JSON.stringify(records)}}`;
}

/** `time device epoch seq n=value …`, tabs between. */
function plainLine({ device, epoch, seq, unixMs, records }: OpenedReading): string {
  const values = records.map(record => `${record.n}=${valueText(record)}`);
  return printableFields([isoTime(unixMs) ?? '-', device, String(epoch), String(seq), ...values]);
}

function printableFields(fields: readonly string[]): string {
  return fields.map(printable).join('\t');
}

function valueText({ v, vs, vb, vd, u }: JsonRecord): string {
  const value = v ?? vs ?? vb ?? vd ?? '';
  const shown = typeof value === 'number' ? String(Number(value.toPrecision(10))) : String(value);
  return u === undefined ? shown : `${shown} ${UNITS[u] ?? u}`;
}

/** What people write for SenML's units. */
const UNITS: Readonly<Record<string, string>> = { Cel: '°C', Ohm: 'Ω' };

const MAX_DATE_MS = 8.64e15;

function isoTime(unixMs: number): string | null {
  return unixMs >= 0 && unixMs <= MAX_DATE_MS ? new Date(unixMs).toISOString() : null;
}

function clockText(unixMs: number): string {
  return isoTime(unixMs)?.slice(11, 19) ?? '--:--:--';
}

function reportText(report: Report): string {
  switch (report.kind) {
    case 'refused':
      return `refused: ${report.reason}${report.device ? `, claims device ${report.device}` : ''}, on ${report.topic}`;
    case 'fork':
      return `FORK: two different authentic readings for ${report.device} epoch ${report.epoch} at reading ${report.seq}: a device was cloned or a key stolen`;
    case 'stale':
      return `refused: stale, ${report.device} epoch ${report.epoch} reading ${report.seq} is older than what is remembered`;
    case 'unknown-device':
      return `unknown device ${report.device}: its readings are held until the keyring has it`;
    case 'held-dropped':
      return `held: ${report.count} of the oldest readings of unknown devices dropped for newer ones`;
    case 'gap':
      return `gap (${report.stage}): ${[gapText(report.gap), ...report.reasons].join('; ')}`;
    case 'handover':
      return report.speaks
        ? `${report.from} at ${report.site} is publishing, though ${report.gateway} goes on for it: switch one of them off`
        : `${report.gateway} at ${report.site} goes on for ${report.from}, restored from its backup`;
    case 'connection':
      return report.online || report.remedy === '' ? report.text : `${report.text}. ${report.remedy}`;
  }
}
