/**
 * What a reading line carries, told by its first two bytes:
 *
 * | bytes | payload |
 * |---|---|
 * | `84 4d …` | an envelope, version 1: a COSE_Mac0 whose protected header is 13 bytes long |
 * | `84 01 …` | a frame of a sovereign-sdk sensor, wrapped as CBOR `[1, node: tstr, epoch: uint, frame: bstr]` |
 *
 * The epoch of a wrapped frame is the gateway's word; node, sequence and MAC stand in the frame itself.
 */
import { toHex } from '../../firmware/seal/bytes.js';
import { CborWriter } from '../../firmware/seal/cbor-writer.js';
import { EnvelopeReader } from '../../firmware/seal/envelope.js';
import { Kind } from '../../firmware/seal/reading.js';
import { sdkDeviceId } from '../keyring/sdk-id.js';

export { sdkDeviceId as sdkDevice };

export interface PayloadDescription {
  /** 16 hex digits. */
  device: string;
  epoch: number;
  seq: number;
  tag8: string;
  final: boolean;
}

export interface SdkPayload {
  node: string;
  epoch: number;
  /** The frame as it was received, without its LF; a view into the payload. */
  frame: Uint8Array;
}

const ENVELOPE_MARK = 0x4d;
const SDK_MARK = 0x01;
const ARRAY_OF_FOUR = 0x84;
const TAG_BYTES = 32;
/** Twice the longest node name (128 bytes) that the listener takes. */
const MAX_NODE_BYTES = 256;

export function isEnvelope(bytes: Uint8Array): boolean {
  return bytes.length > TAG_BYTES && bytes[0] === ARRAY_OF_FOUR && bytes[1] === ENVELOPE_MARK;
}

/**
 * Who a payload speaks of; undefined when it is neither of the two kinds. Strict about an envelope's form;
 * a wrapped frame is only looked into, not verified.
 */
export function describePayload(bytes: Uint8Array): PayloadDescription | undefined {
  if (isEnvelope(bytes)) {
    const envelope = new EnvelopeReader();
    if (envelope.parse(bytes, 0, bytes.length) !== '') return undefined;
    return {
      device: toHex(bytes, envelope.idAt, envelope.idAt + 8),
      epoch: envelope.epoch,
      seq: envelope.seq,
      tag8: toHex(bytes, envelope.tagAt, envelope.tagAt + 8),
      final: envelope.kind === Kind.final,
    };
  }
  const wrapped = readSdkPayload(bytes);
  if (!wrapped) return undefined;
  const text = Buffer.from(wrapped.frame.buffer, wrapped.frame.byteOffset, wrapped.frame.length);
  const macAt = sdkMacAt(text);
  const seqAt = text.lastIndexOf('"q":', macAt, 'latin1');
  if (macAt < 0 || seqAt < 0) return undefined;
  const seq = Number(text.toString('latin1', seqAt + 4, text.indexOf(',', seqAt + 4, 'latin1')));
  if (!Number.isSafeInteger(seq) || seq < 1) return undefined;
  return {
    device: sdkDeviceId(wrapped.node),
    epoch: wrapped.epoch,
    seq,
    tag8: text.toString('latin1', macAt, macAt + 16),
    final: false,
  };
}

/** The first 8 bytes of the payload's tag as hex, without looking at anything else; '' when it has none. */
export function payloadTag8(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isEnvelope(bytes)) return text.toString('hex', bytes.length - TAG_BYTES, bytes.length - TAG_BYTES + 8);
  const at = sdkMacAt(text);
  return at < 0 ? '' : text.toString('latin1', at, at + 16);
}

export function encodeSdkPayload(node: string, epoch: number, frame: Uint8Array): Uint8Array {
  const name = Buffer.from(node, 'utf8');
  if (name.length > MAX_NODE_BYTES) throw new RangeError(`node name of ${name.length} bytes`);
  const writer = new CborWriter(new Uint8Array(name.length + frame.length + 32));
  writer.array(4);
  writer.uint(1);
  writer.text(node);
  writer.uint(epoch);
  writer.bytes(frame);
  return writer.buffer.subarray(0, writer.position);
}

/** Takes a wrapped frame apart; undefined when it isn't one. */
export function readSdkPayload(bytes: Uint8Array): SdkPayload | undefined {
  if (bytes[0] !== ARRAY_OF_FOUR || bytes[1] !== SDK_MARK) return undefined;
  const node = readHead(bytes, 2, 3);
  if (!node || node.value > MAX_NODE_BYTES || node.end + node.value > bytes.length) return undefined;
  const epoch = readHead(bytes, node.end + node.value, 0);
  const frame = epoch && readHead(bytes, epoch.end, 2);
  if (!frame || frame.end + frame.value !== bytes.length) return undefined;
  return {
    node: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
      'utf8',
      node.end,
      node.end + node.value,
    ),
    epoch: epoch.value,
    frame: bytes.subarray(frame.end),
  };
}

/** Head of a CBOR item of one major type: its argument, and where it ends. */
function readHead(bytes: Uint8Array, at: number, major: number): { value: number; end: number } | undefined {
  if (at >= bytes.length || bytes[at] >> 5 !== major) return undefined;
  const short = bytes[at] & 31;
  if (short < 24) return { value: short, end: at + 1 };
  if (short > 27) return undefined;
  const width = 1 << (short - 24);
  if (at + 1 + width > bytes.length) return undefined;
  let value = 0;
  for (let i = 1; i <= width; i++) value = value * 256 + bytes[at + i];
  return Number.isSafeInteger(value) ? { value, end: at + 1 + width } : undefined;
}

/** Where the MAC's digits begin. A quote inside a JSON string is escaped, so the last `,"s":"` is the key. */
function sdkMacAt(text: Buffer): number {
  const at = text.lastIndexOf(',"s":"', undefined, 'latin1');
  return at < 0 || at + 6 + 64 > text.length ? -1 : at + 6;
}
