/** One line of a segment, read from its bytes by host/journal/README.md and by nothing of the product's journal code. */
import { crc32 } from 'node:zlib';
import { EnvelopeReader } from '../../../firmware/seal/envelope.js';
import { describePayload } from '../../../host/journal/payload.js';

export interface ReadingLine {
  readonly kind: 'reading';
  readonly offset: number;
  readonly device: string;
  readonly epoch: number;
  readonly seq: number;
  readonly final: boolean;
  readonly tag8: string;
  /** First 8 bytes of the tag before, hex; '' for a sovereign-sdk frame. */
  readonly prev8: string;
  readonly payload: Buffer;
}

export interface GapLine {
  readonly kind: 'gap';
  readonly offset: number;
  readonly device: string;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

export interface HeaderLine {
  readonly kind: 'header';
  readonly first: number;
  readonly previous: { readonly first: number; readonly last: number; readonly bytes: number } | null;
}

export interface DeviceLine {
  readonly kind: 'device';
  readonly device: string;
  readonly epoch: number;
  readonly seq: number;
  readonly tag8: string;
}

export interface HandoverLine {
  readonly kind: 'handover';
  readonly offset: number;
  readonly from: string;
  readonly to: string;
}

export interface MarkLine {
  readonly kind: 'mark';
  readonly synced: number;
}

export type JournalLine = ReadingLine | GapLine | HandoverLine | HeaderLine | DeviceLine | MarkLine;

const CLOSE = /^,"c":"([0-9a-f]{8})"\}$/;
const CLOSE_CHARS = 16;
const envelopes = new EnvelopeReader();

/** `text`: a line without its line feed. undefined: its checksum or its form is wrong. */
export function readLine(text: string): JournalLine | undefined {
  const at = text.length - CLOSE_CHARS;
  const close = at > 0 ? CLOSE.exec(text.slice(at)) : null;
  if (close === null || crc32(Buffer.from(text.slice(0, at), 'latin1')) !== Number.parseInt(close[1], 16))
    return undefined;
  const line = JSON.parse(text);
  if (line.b !== undefined) return reading(line);
  if (line.from !== undefined)
    return { kind: 'gap', offset: line.o, device: line.d, from: line.from, to: line.to };
  if (line.handover !== undefined)
    return { kind: 'handover', offset: line.o, from: line.handover.from, to: line.handover.to };
  if (line.journal !== undefined) return { kind: 'header', first: line.first, previous: line.prev };
  if (line.s !== undefined) return { kind: 'mark', synced: line.s };
  return { kind: 'device', device: line.d, epoch: line.e, seq: line.q, tag8: line.g };
}

function reading(line: { o: number; f?: 1; b: string }): ReadingLine | undefined {
  const payload = Buffer.from(line.b, 'base64url');
  const described = readPayload(payload);
  return described && { kind: 'reading', offset: line.o, final: line.f === 1, payload, ...described };
}

/** Whose reading it is, and which; undefined: neither an envelope nor a wrapped sovereign-sdk frame. */
export function readPayload(
  payload: Buffer,
): Pick<ReadingLine, 'device' | 'epoch' | 'seq' | 'tag8' | 'prev8'> | undefined {
  if (payload[1] !== 0x4d) {
    const described = describePayload(payload);
    if (described === undefined) return undefined;
    const { device, epoch, seq, tag8 } = described;
    return { device, epoch, seq, tag8, prev8: '' };
  }
  if (envelopes.parse(payload, 0, payload.length) !== '') return undefined;
  const { idAt, epoch, seq, prevAt, tagAt } = envelopes;
  return {
    device: payload.toString('hex', idAt, idAt + 8),
    epoch,
    seq,
    tag8: payload.toString('hex', tagAt, tagAt + 8),
    prev8: payload.toString('hex', prevAt, prevAt + 8),
  };
}

/** What a line says beside its payload must be what the payload says. */
export function agrees(text: string, { device, epoch, seq }: ReadingLine): boolean {
  return text.includes(`"d":"${device}","e":${epoch},"q":${seq},`);
}
