/**
 * The broker's side of a subscription, and nothing else: one client connects, subscribes, and gets readings at QoS 1 as fast as it
 * acknowledges them, from packets that were made before. It shows what a subscriber can take where a broker would be the
 * limit. It runs in a thread of its own (`feeder-thread.ts`).
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { encodeText, NO_PROPERTIES, publishBound, writePublish } from '../../host/node/mqtt-packets.js';

/** PUBLISH packets of MQTT 5, one after another; the packet ids count on from 1 and are used again after 65,535. */
export interface Feed {
  readonly bytes: SharedArrayBuffer;
  /** Where each packet ends. */
  readonly ends: Uint32Array;
}

export interface FeedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export const MAX_PACKET_ID = 65_535;
/** The properties of a PUBLISH without any (MQTT 5, section 3.3.2.3.1). */
const WITHOUT_PROPERTIES = Buffer.from([0]);

export function makeFeed(messages: readonly FeedMessage[]): Feed {
  const topics = new Map<string, Buffer>();
  const topicOf = (text: string) => {
    const known = topics.get(text) ?? encodeText(text);
    topics.set(text, known);
    return known;
  };
  let room = 0;
  for (const { topic, payload } of messages) room += publishBound(topicOf(topic), NO_PROPERTIES, payload) + 1;
  const out = Buffer.allocUnsafeSlow(room);
  const ends = new Uint32Array(messages.length);
  let at = 0;
  messages.forEach(({ topic, payload }, i) => {
    const id = (i % MAX_PACKET_ID) + 1;
    const message = { topic: topicOf(topic), id, properties: WITHOUT_PROPERTIES, payload, retain: false };
    at = writePublish(out, at, message);
    ends[i] = at;
  });
  const bytes = new SharedArrayBuffer(at);
  out.copy(new Uint8Array(bytes), 0, 0, at);
  return { bytes, ends };
}

export class Feeder {
  readonly port: number;
  readonly #worker: Worker;

  private constructor(worker: Worker, port: number) {
    this.#worker = worker;
    this.port = port;
  }

  /** @param window messages that are sent before one is acknowledged */
  static async start(feed: Feed, window: number): Promise<Feeder> {
    const worker = new Worker(new URL('./feeder-thread.js', import.meta.url), {
      workerData: { feed, window },
    });
    const [port] = await once(worker, 'message');
    return new Feeder(worker, port as number);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Of the client that is served next: how many ms from the first message sent to the last acknowledged. */
  async served(): Promise<number> {
    const [ms] = await once(this.#worker, 'message');
    return ms as number;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
