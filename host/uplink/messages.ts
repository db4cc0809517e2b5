/** What goes to the broker: the messages of a reading, and those about the gateway. */
import type { ReadingEntry } from '../journal/entry.js';
import { isEnvelope } from '../journal/payload.js';
import type { BrokerMessage } from '../ports.js';
import type { SenmlEncoder } from './senml.js';
import { encodeStatus } from './status.js';
import {
  readingTopic,
  SDK_CONTENT_TYPE,
  SEALED_CONTENT_TYPE,
  SENML_CONTENT_TYPE,
  STATUS_CONTENT_TYPE,
  sealedTopic,
  statusTopic,
} from './topics.js';

/** The sealed bytes, as they are. */
export function sealedMessage(site: string, { device, bytes }: ReadingEntry): BrokerMessage {
  const contentType = isEnvelope(bytes) ? SEALED_CONTENT_TYPE : SDK_CONTENT_TYPE;
  return { topic: sealedTopic(site, device), payload: bytes, retain: false, contentType };
}

/** The same reading for people; undefined when there is nothing to say. */
export function readingMessage(
  site: string,
  entry: ReadingEntry,
  senml: SenmlEncoder,
): BrokerMessage | undefined {
  const payload = senml.encode(entry);
  if (payload === undefined) return undefined;
  const topic = readingTopic(site, entry.device);
  return { topic, payload, retain: false, contentType: SENML_CONTENT_TYPE };
}

export function statusMessage(
  site: string,
  gateway: string,
  status: Parameters<typeof encodeStatus>[0],
): BrokerMessage {
  const topic = statusTopic(site, gateway);
  return { topic, payload: encodeStatus(status), retain: true, contentType: STATUS_CONTENT_TYPE };
}
