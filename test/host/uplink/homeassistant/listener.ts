import type { ExecutionContext } from 'ava';
import { mqttBroker } from '../../../../host/node/broker.js';
import type { BrokerSession } from '../../../../host/ports.js';

/** What somebody hears who subscribes now: what is retained, then what comes. */
export class Listener {
  readonly topics = new Map<string, string>();
  /** As `topic payload`, in the order of coming. */
  readonly lines: string[] = [];
  #session: BrokerSession | undefined;

  static async on(t: ExecutionContext, url: string, ...filters: string[]): Promise<Listener> {
    const listener = new Listener();
    const clientId = `listener-${Math.round(performance.now() * 1000)}`;
    const options = {
      url,
      clientId,
      protocol: '5',
      keepAliveSeconds: 30,
      connectTimeoutMs: 5000,
      cleanStart: true,
    } as const;
    const message = async (topic: string, payload: Uint8Array) => {
      const text = Buffer.from(payload).toString();
      listener.lines.push(`${topic} ${text}`);
      if (text === '') listener.topics.delete(topic);
      else listener.topics.set(topic, text);
    };
    listener.#session = await mqttBroker.connect(options, { message, closed: () => {} });
    t.teardown(() => listener.#session?.end());
    await listener.#session.subscribe(filters);
    return listener;
  }

  say(topic: string, text: string): void {
    this.#session?.publish({ topic, payload: Buffer.from(text), retain: false }, () => {});
  }
}
