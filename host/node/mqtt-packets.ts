/**
 * The two packets of MQTT that go by in numbers, PUBLISH and PUBACK (MQTT 3.1.1 and 5, sections 3.3 and 3.4), as they are
 * used here: QoS 1 out, QoS 0 and 1 in.
 *
 *   PUBLISH  3x  remaining length  topic: 2 + n  packet id: 2 (not at QoS 0)  [5: properties length, properties]  payload
 *   PUBACK   40  02  packet id: 2                          or, in 5,  40 nn  packet id: 2  reason: 1  [properties]
 */
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBACK_BYTES = 4;
/** Fixed header, topic length, packet id, length of properties. */
const MAX_PUBLISH_OVERHEAD_BYTES = 1 + 4 + 2 + 2 + 4;
const RETAIN = 0x01;
const QOS_1 = 0x02;
const CONTENT_TYPE = 3;
const USER_PROPERTY = 38;

/** On MQTT 3.1.1 a PUBLISH has none, not even their length. */
export const NO_PROPERTIES = Buffer.alloc(0);

/** How long a packet is: its first byte and its remaining length. */
export interface PacketLength {
  /** Of the whole packet; 0: more bytes are needed to tell; -1: this is no MQTT. */
  bytes: number;
  headBytes: number;
}

/** Reads the remaining length of the packet that begins at `bytes[at]` (MQTT 5, section 1.5.5). */
export function packetLength(bytes: Uint8Array, at: number, out: PacketLength): void {
  let length = 0;
  for (let i = 1; i <= 4; i++) {
    if (at + i >= bytes.length) {
      out.bytes = 0;
      return;
    }
    const byte = bytes[at + i];
    length += (byte & 0x7f) * 128 ** (i - 1);
    if (byte < 0x80) {
      out.headBytes = 1 + i;
      out.bytes = 1 + i + length;
      return;
    }
  }
  out.bytes = -1;
}

/** A PUBLISH that came. `payload` is part of the bytes that it was read from. */
export interface Publish {
  topic: string;
  payload: Buffer;
  qos: number;
  /** 0 at QoS 0. */
  id: number;
}

/** @returns undefined when the packet, `bytes[at, end)` with a head of `headBytes`, is malformed */
export function readPublish(
  bytes: Buffer,
  at: number,
  headBytes: number,
  end: number,
  five: boolean,
): Publish | undefined {
  const qos = (bytes[at] >> 1) & 3;
  let next = at + headBytes;
  if (next + 2 > end) return undefined;
  const topicBytes = bytes.readUInt16BE(next);
  const topicEnd = next + 2 + topicBytes;
  const idBytes = qos > 0 ? 2 : 0;
  if (qos > 2 || topicEnd + idBytes > end) return undefined;
  const topic = bytes.toString('utf8', next + 2, topicEnd);
  const id = qos > 0 ? bytes.readUInt16BE(topicEnd) : 0;
  next = topicEnd + idBytes;
  if (five) {
    let properties = 0;
    for (let shift = 0; ; shift += 7) {
      if (next >= end || shift > 21) return undefined;
      const byte = bytes[next++];
      properties += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    next += properties;
    if (next > end) return undefined;
  }
  return { topic, payload: bytes.subarray(next, end), qos, id };
}

/** The properties of a PUBLISH of MQTT 5, with their length in front; made once for each kind of message. */
export function encodeProperties(
  contentType: string | undefined,
  userProperties: Readonly<Record<string, string>> | undefined,
): Buffer {
  const parts: Buffer[] = [];
  if (contentType !== undefined) parts.push(Buffer.from([CONTENT_TYPE]), encodeText(contentType));
  for (const [name, value] of Object.entries(userProperties ?? {})) {
    parts.push(Buffer.from([USER_PROPERTY]), encodeText(name), encodeText(value));
  }
  const all = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(lengthBytes(all.length)), all]);
}

/** A text with its length in front (MQTT 5, section 1.5.4). */
export function encodeText(text: string): Buffer {
  const utf8 = Buffer.from(text);
  if (utf8.length > 0xffff) throw new RangeError(`an MQTT text has at most 65,535 bytes, not ${utf8.length}`);
  const out = Buffer.allocUnsafe(2 + utf8.length);
  out.writeUInt16BE(utf8.length);
  utf8.copy(out, 2);
  return out;
}

/** What a PUBLISH takes at most. */
export function publishBound(topic: Buffer, properties: Buffer, payload: Uint8Array): number {
  return MAX_PUBLISH_OVERHEAD_BYTES + topic.length + properties.length + payload.length;
}

/**
 * Writes a PUBLISH of QoS 1 to `out[at …]`, for which there must be room for `publishBound`.
 * @param topic with its length in front
 * @param properties with their length in front; empty on MQTT 3.1.1
 * @returns where it ends
 */
export function writePublish(
  out: Buffer,
  at: number,
  message: { topic: Buffer; id: number; properties: Buffer; payload: Uint8Array; retain: boolean },
): number {
  const { topic, id, properties, payload, retain } = message;
  let next = at;
  out[next++] = (PUBLISH << 4) | QOS_1 | (retain ? RETAIN : 0);
  let length = topic.length + 2 + properties.length + payload.length;
  for (; length > 0x7f; length = Math.floor(length / 128)) out[next++] = (length & 0x7f) | 0x80;
  out[next++] = length;
  out.set(topic, next);
  next += topic.length;
  out[next++] = id >> 8;
  out[next++] = id & 0xff;
  out.set(properties, next);
  next += properties.length;
  out.set(payload, next);
  return next + payload.length;
}

function lengthBytes(length: number): number[] {
  const bytes: number[] = [];
  let left = length;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return bytes;
}
