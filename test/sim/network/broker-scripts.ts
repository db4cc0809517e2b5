/**
 * What clients do with a broker, as scripts that run on the simulated one and on a real one, and what came of it as lines:
 * both must have the same.
 */
import type { Broker, BrokerHandler, BrokerOptions, BrokerSession } from '../../../host/ports.js';

/** Where a script runs. */
export interface Stage {
  readonly protocol: '3.1.1' | '5';
  /** A port of a process of its own. */
  broker(): Broker;
  /** What a broker needs to come to rest. */
  quiet(): Promise<void>;
  /** Waits for something that the broker answers. */
  wait<T>(promise: Promise<T>): Promise<T>;
}

export interface Script {
  readonly name: string;
  readonly maxQueued?: number;
  readonly maxInflight?: number;
  run(stage: Stage, told: string[]): Promise<void>;
}

class Client {
  session!: BrokerSession;
  /** What to do with a message; default: acknowledges it. */
  handle: (text: string) => Promise<void> = async () => {};
  readonly #stage: Stage;
  readonly #name: string;
  readonly #told: string[];

  constructor(stage: Stage, name: string, told: string[]) {
    this.#stage = stage;
    this.#name = name;
    this.#told = told;
  }

  async connect(id: string, options: Partial<BrokerOptions> & { url?: string } = {}): Promise<this> {
    const handler: BrokerHandler = {
      message: (topic, payload) => {
        const text = `${topic} ${Buffer.from(payload)}`;
        this.#told.push(`${this.#name}: ${text}`);
        return this.handle(text);
      },
      closed: () => void this.#told.push(`${this.#name}: closed`),
    };
    const whole: BrokerOptions = {
      url: '',
      clientId: id,
      protocol: this.#stage.protocol,
      keepAliveSeconds: 30,
      connectTimeoutMs: 5000,
      cleanStart: true,
      ...options,
    };
    this.session = await this.#stage.wait(this.#stage.broker().connect(whole, handler));
    return this;
  }

  subscribe(...topics: string[]): Promise<void> {
    return this.#stage.wait(this.session.subscribe(topics));
  }

  /** Publishes one after another, and waits for all. */
  async publish(topic: string, texts: readonly string[], retain = false): Promise<void> {
    const all = texts.map(
      text =>
        new Promise<void>((resolve, reject) =>
          this.session.publish({ topic, payload: Buffer.from(text), retain }, error =>
            error ? reject(error) : resolve(),
          ),
        ),
    );
    await this.#stage.wait(Promise.all(all));
  }

  end(): Promise<void> {
    return this.#stage.wait(this.session.end());
  }
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `m${from + i}`);
}

const KEPT = { cleanStart: false };
const never = () => new Promise<void>(() => {});

export const SCRIPTS: readonly Script[] = [
  {
    name: 'retained messages come with each subscription, the last of a topic, until an empty one',
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      await publisher.publish('a/1', ['old', 'new'], true);
      await publisher.publish('a/2', ['plain']);
      const subscriber = await new Client(stage, 's', told).connect('s');
      await subscriber.subscribe('a/+');
      await stage.quiet();
      await subscriber.subscribe('a/+');
      await stage.quiet();
      await publisher.publish('a/1', [''], true);
      await stage.quiet();
      const other = await new Client(stage, 'o', told).connect('o');
      await other.subscribe('#');
      await stage.quiet();
    },
  },
  {
    name: 'topic filters',
    async run(stage, told) {
      const one = await new Client(stage, '1', told).connect('c1');
      await one.subscribe('a/+/c', 'x/#');
      const publisher = await new Client(stage, 'p', told).connect('p');
      for (const topic of ['a/b/c', 'a/b', 'a/b/c/d', 'a//c', 'x', 'x/y', 'x/y/z', 'xy', 'A/b/c'])
        await publisher.publish(topic, ['m']);
      await stage.quiet();
    },
  },
  {
    name: 'a kept session has what was published meanwhile, in order',
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      const before = await new Client(stage, 's', told).connect('s', KEPT);
      await before.subscribe('t');
      await before.end();
      await publisher.publish('t', numbers(0, 50));
      await publisher.publish('elsewhere', ['no']);
      await new Client(stage, 's', told).connect('s', KEPT);
      await stage.quiet();
      await publisher.publish('t', ['live']);
      await stage.quiet();
    },
  },
  {
    name: 'a clean start forgets the session that was kept',
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      const before = await new Client(stage, 's', told).connect('s', KEPT);
      await before.subscribe('t');
      await before.end();
      await publisher.publish('t', numbers(0, 3));
      const clean = await new Client(stage, 'clean', told).connect('s');
      await stage.quiet();
      await clean.end();
      await publisher.publish('t', numbers(3, 6));
      await new Client(stage, 's', told).connect('s', KEPT);
      await stage.quiet();
      told.push('nothing');
    },
  },
  {
    name: 'only so many messages are kept for a client that is away',
    maxQueued: 10,
    maxInflight: 20,
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      const before = await new Client(stage, 's', told).connect('s', KEPT);
      await before.subscribe('t');
      await before.end();
      await publisher.publish('t', numbers(0, 30));
      await new Client(stage, 's', told).connect('s', KEPT);
      await stage.quiet();
      await publisher.publish('t', ['live']);
      await stage.quiet();
    },
  },
  {
    name: 'only so many messages are in flight, and wait for one that is slow',
    maxQueued: 5,
    maxInflight: 4,
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      const slow = await new Client(stage, 's', told).connect('s');
      const held: (() => void)[] = [];
      slow.handle = () => new Promise(resolve => held.push(resolve));
      await slow.subscribe('t');
      await publisher.publish('t', numbers(0, 20));
      await stage.quiet();
      told.push('acknowledges');
      slow.handle = async () => {};
      for (const acknowledge of held) acknowledge();
      await stage.quiet();
    },
  },
  {
    name: 'what was not acknowledged comes again, before what came meanwhile',
    async run(stage, told) {
      const publisher = await new Client(stage, 'p', told).connect('p');
      const before = await new Client(stage, 's', told).connect('s', KEPT);
      before.handle = text => {
        if (text.endsWith('m2')) return never();
        return text.endsWith('m5') ? Promise.reject(new Error('no')) : Promise.resolve();
      };
      await before.subscribe('t');
      await publisher.publish('t', numbers(0, 6));
      await stage.quiet();
      await publisher.publish('t', numbers(6, 9));
      await new Client(stage, 's', told).connect('s', KEPT);
      await stage.quiet();
    },
  },
  {
    name: 'a will comes when a connection breaks, not when its client takes leave',
    async run(stage, told) {
      const watcher = await new Client(stage, 'w', told).connect('w');
      await watcher.subscribe('gone/+');
      const will = (topic: string) => ({ topic, payload: Buffer.from('offline'), retain: true });
      const polite = await new Client(stage, 'polite', told).connect('a', { will: will('gone/a') });
      await polite.end();
      await stage.quiet();
      const rude = await new Client(stage, 'rude', told).connect('b', { will: will('gone/b') });
      await rude.subscribe('t');
      rude.handle = () => Promise.reject(new Error('no'));
      await watcher.publish('t', ['break']);
      await stage.quiet();
      const later = await new Client(stage, 'later', told).connect('l');
      await later.subscribe('gone/+');
      await stage.quiet();
    },
  },
  {
    name: 'a second client of the same id takes the session over, and the will of the first comes',
    async run(stage, told) {
      const watcher = await new Client(stage, 'w', told).connect('w');
      await watcher.subscribe('gone');
      const will = { topic: 'gone', payload: Buffer.from('offline'), retain: false };
      await new Client(stage, 'first', told).connect('same', { will });
      const second = await new Client(stage, 'second', told).connect('same', { will });
      await stage.quiet();
      await second.end();
      await stage.quiet();
    },
  },
];
