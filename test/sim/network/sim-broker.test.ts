import test from 'ava';
import { mqttBroker } from '../../../host/node/broker.js';
import type { Broker } from '../../../host/ports.js';
import { Mosquitto } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';
import { Life } from '../kernel/life.js';
import { World } from '../kernel/world.js';
import { SCRIPTS, type Script, type Stage } from './broker-scripts.js';
import { SimBroker } from './sim-broker.js';

const PROTOCOLS = ['3.1.1', '5'] as const;

async function simulated(script: Script, protocol: '3.1.1' | '5'): Promise<string[]> {
  const world = new World({ seed: 1, faults: { rates: {} } });
  const { maxQueued = 1000, maxInflight = 20 } = script;
  const broker = new SimBroker(world, { maxQueued, maxInflight });
  const stage: Stage = {
    protocol,
    broker: () => broker.port(new Life(world, 'client')),
    quiet: async () => {
      // What the script has resolved comes first.
      await new Promise(resolve => setImmediate(resolve));
      await world.run(world.nowMs + 5000);
    },
    wait: async promise => {
      let settled = false;
      const done = () => {
        settled = true;
      };
      promise.then(done, done);
      await world.run(world.nowMs + 60_000, () => settled);
      return promise;
    },
  };
  const told: string[] = [];
  await script.run(stage, told);
  return told;
}

async function real(script: Script, protocol: '3.1.1' | '5', mosquitto: Mosquitto): Promise<string[]> {
  const told: string[] = [];
  const sessions: { end(): Promise<void> }[] = [];
  const broker: Broker = {
    connect: async (options, handler) => {
      const session = await mqttBroker.connect({ ...options, url: mosquitto.url }, handler);
      sessions.push(session);
      return session;
    },
  };
  const stage: Stage = {
    protocol,
    broker: () => broker,
    quiet: async () => {
      // At rest when nothing more has come for a while.
      for (let before = -1; before !== told.length; ) {
        before = told.length;
        await new Promise(resolve => setTimeout(resolve, 120));
      }
    },
    wait: promise => promise,
  };
  try {
    await script.run(stage, told);
  } finally {
    for (const session of sessions) await session.end().catch(() => {});
  }
  return told;
}

/** What each client was told, in its order: which of two hears first is chance. Between lines of the script's own. */
function byClient(told: readonly string[]): string[] {
  const sorted: string[] = [];
  let part: string[] = [];
  for (const line of [...told, 'end']) {
    if (line.includes(': ')) {
      part.push(line);
      continue;
    }
    const name = (text: string) => text.slice(0, text.indexOf(':'));
    sorted.push(...part.sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0)), line);
    part = [];
  }
  return sorted;
}

for (const script of SCRIPTS) {
  test(`as Mosquitto: ${script.name}`, async t => {
    if (needs(t, 'mosquitto') === undefined) return;
    const { maxQueued = 1000, maxInflight = 20 } = script;
    const lines = [`max_queued_messages ${maxQueued}`, `max_inflight_messages ${maxInflight}`];
    for (const protocol of PROTOCOLS) {
      const mosquitto = await Mosquitto.start(lines);
      try {
        const told = await real(script, protocol, mosquitto);
        t.true(told.length > 0);
        t.deepEqual(byClient(await simulated(script, protocol)), byClient(told), protocol);
      } finally {
        await mosquitto.stop();
      }
    }
  });
}
