/** What goes to the broker: the messages of a reading, and those about the gateway. */
import type { ReadingEntry } from '../journal/entry.js';
import { isEnvelope } from '../journal/payload.js';
import type { BrokerMessage } from '../ports.js';
import type { SenmlEncoder } from './senml.js';
import { encodeStatus } from './status.js';
import {
  BATCH_CONTENT_TYPE,
  batchTopic,
  historicalTopic,
  readingTopic,
  SDK_CONTENT_TYPE,
  SEALED_CONTENT_TYPE,
  SENML_CONTENT_TYPE,
  STATUS_CONTENT_TYPE,
  sealedTopic,
  statusTopic,
} from './topics.js';

/** On MQTT 5, what newer readings have overtaken says so. */
export const HISTORICAL: Readonly<Record<string, string>> = Object.freeze({ historical: '1' });

/** How a message says that it is historical: not at all, since it is not; by a user property (MQTT 5); by its topic. */
export type Mark = 'none' | 'property' | 'topic';

/** The sealed bytes, as they are. */
export function sealedMessage(
  site: string,
  { device, bytes }: ReadingEntry,
  mark: Mark = 'none',
): BrokerMessage {
  const contentType = isEnvelope(bytes) ? SEALED_CONTENT_TYPE : SDK_CONTENT_TYPE;
  return marked({ topic: sealedTopic(site, device), payload: bytes, retain: false, contentType }, mark);
}

/** The same reading for people; undefined when there is nothing to say. */
export function readingMessage(
  site: string,
  entry: ReadingEntry,
  senml: SenmlEncoder,
  mark: Mark = 'none',
): BrokerMessage | undefined {
  const payload = senml.encode(entry);
  if (payload === undefined) return undefined;
  const topic = readingTopic(site, entry.device);
  return marked({ topic, payload, retain: false, contentType: SENML_CONTENT_TYPE }, mark);
}

/** Sealed bytes of many readings, one after another. */
export function batchMessage(site: string, gateway: string, entries: readonly ReadingEntry[]): BrokerMessage {
  const payload = Buffer.concat(entries.map(({ bytes }) => bytes));
  return { topic: batchTopic(site, gateway), payload, retain: false, contentType: BATCH_CONTENT_TYPE };
}

function marked(message: BrokerMessage, mark: Mark): BrokerMessage {
  if (mark === 'none') return message;
  if (mark === 'topic') return { ...message, topic: historicalTopic(message.topic) };
  return { ...message, userProperties: HISTORICAL };
}

export function statusMessage(
  site: string,
  gateway: string,
  status: Parameters<typeof encodeStatus>[0],
): BrokerMessage {
  const topic = statusTopic(site, gateway);
  return { topic, payload: encodeStatus(status), retain: true, contentType: STATUS_CONTENT_TYPE };
}
