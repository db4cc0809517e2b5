/** Readings a second into a real Mosquitto, one a message, beside a loop around the library with the same window and bytes. */
import mqtt from 'mqtt';
import { mqttBroker } from '../../host/node/broker.js';
import { silentLog } from '../../host/node/log.js';
import { sealedTopic } from '../../host/uplink/topics.js';
import { Uplink } from '../../host/uplink/uplink.js';
import { anyRandom, FakeCursor, FakeJournal, realClock, TestDevice, until } from '../host/uplink/support.js';
import { Mosquitto } from '../support/brokers.js';
import { median } from './figures.js';
import { type Row, share } from './row.js';

const WINDOW = 1000;
const DEVICES = 10;
const BROKER = [`max_inflight_messages ${WINDOW}`, 'max_queued_messages 0'];

/** @param count readings a run; the median of `runs` counts */
export async function benchUplink(count = 60_000, runs = 3): Promise<Row[]> {
  const devices = Array.from({ length: DEVICES }, (_, i) => new TestDevice(i + 1));
  const journal = new FakeJournal();
  for (let i = 0; i < count; i++) journal.add(devices[i % DEVICES].entry(i));
  const broker = await Mosquitto.start(BROKER);
  try {
    const bare: number[] = [];
    const ours: number[] = [];
    for (let run = 0; run < runs; run++) {
      bare.push(await barePublish(broker.url, journal));
      ours.push(await publish(broker.url, journal));
    }
    const reference = median(bare);
    return [
      {
        name: 'uplink, QoS 1 into Mosquitto, one message a reading',
        value: Math.round(median(ours)),
        unit: 'readings/s',
        reference: `bare mqtt publish loop, same window, ${Math.round(reference).toLocaleString('en-US')}/s: ${share(median(ours), reference)}`,
        goal: '≥ 95 % of it, and ≥ 60,000/s',
        met: median(ours) >= 60_000 && median(ours) >= 0.95 * reference,
      },
    ];
  } finally {
    await broker.stop();
  }
}

/** A loop around the library, as it comes, with the same window and messages. */
async function barePublish(url: string, journal: FakeJournal): Promise<number> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  const { entries } = journal;
  const started = performance.now();
  await new Promise<void>(resolve => {
    let sent = 0;
    let acknowledged = 0;
    const properties = { contentType: 'application/cose; cose-type="cose-mac0"' };
    const pump = () => {
      while (sent < entries.length && sent - acknowledged < WINDOW) {
        const entry = entries[sent++];
        if (entry.kind !== 'reading') continue;
        const payload = Buffer.from(entry.bytes.buffer, entry.bytes.byteOffset, entry.bytes.length);
        client.publish(sealedTopic('bench', entry.device), payload, { qos: 1, properties }, () => {
          acknowledged++;
          if (acknowledged === entries.length) resolve();
          else pump();
        });
      }
    };
    pump();
  });
  const seconds = (performance.now() - started) / 1000;
  await client.endAsync();
  return entries.length / seconds;
}

async function publish(url: string, journal: FakeJournal): Promise<number> {
  const ports = {
    broker: mqttBroker,
    journal,
    cursor: new FakeCursor(),
    clock: realClock,
    random: anyRandom,
  };
  const uplink = new Uplink(
    { ...ports, log: silentLog },
    {
      broker: { url, protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 5000 },
      site: 'bench',
      gateway: 'bench',
      window: WINDOW,
      replayPerSecond: 0,
      readingTopic: false,
    },
  );
  const started = performance.now();
  uplink.start();
  await until(() => uplink.state.drained, 'a drained journal', 120_000);
  const seconds = (performance.now() - started) / 1000;
  await uplink.close();
  return journal.entries.length / seconds;
}
