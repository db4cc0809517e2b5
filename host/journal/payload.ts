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
import { fromUtf8, toHex } from '../../firmware/seal/bytes.js';
import { CborReader } from '../../firmware/seal/cbor-reader.js';
import { CborWriter } from '../../firmware/seal/cbor-writer.js';
import { EnvelopeReader } from '../../firmware/seal/envelope.js';
import { Kind } from '../../firmware/seal/reading.js';
import { hexOf } from '../hex.js';
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
const MAC_TEXT = /^[0-9a-f]{64}$/;
const SEQUENCE_TEXT = /^[1-9][0-9]*$/;
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
  const digits = text.toString('latin1', seqAt + 4, text.indexOf(',', seqAt + 4, 'latin1'));
  const seq = Number(digits);
  if (!SEQUENCE_TEXT.test(digits) || !Number.isSafeInteger(seq)) return undefined;
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
  if (isEnvelope(bytes)) return hexOf(bytes, bytes.length - TAG_BYTES, bytes.length - TAG_BYTES + 8);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
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

/** Takes a wrapped frame apart; undefined when it isn't one, in its one encoding. */
export function readSdkPayload(bytes: Uint8Array): SdkPayload | undefined {
  if (bytes[0] !== ARRAY_OF_FOUR || bytes[1] !== SDK_MARK) return undefined;
  const reader = new CborReader();
  reader.reset(bytes, 2);
  reader.text();
  const [from, to] = [reader.start, reader.stop];
  const epoch = reader.uint();
  reader.data();
  if (!reader.finish() || to - from > MAX_NODE_BYTES) return undefined;
  return { node: fromUtf8(bytes, from, to)!, epoch, frame: bytes.subarray(reader.start) };
}

/** Where the MAC's 64 digits begin. A quote inside a JSON string is escaped, so the last `,"s":"` is the key. */
function sdkMacAt(text: Buffer): number {
  const at = text.lastIndexOf(',"s":"', undefined, 'latin1');
  return at >= 0 && MAC_TEXT.test(text.toString('latin1', at + 6, at + 6 + 64)) ? at + 6 : -1;
}
