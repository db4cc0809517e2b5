/** What a reading costs the whole gateway in steady state, counted where its effects come in. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FrameType } from '../../firmware/seal/index.js';
import { parseConfig } from '../../host/config.js';
import { Gateway } from '../../host/gateway.js';
import { Keyring } from '../../host/keyring/file.js';
import { nodeDigest } from '../../host/node/digest.js';
import { silentLog } from '../../host/node/log.js';
import { systemRandom } from '../../host/node/random.js';
import { CountingStorage } from '../support/counting-storage.js';
import { FakeClock } from '../support/fake-clock.js';
import { VirtualIdentity, VirtualPeer } from '../support/virtual-peer.js';
import { compareCosts } from './costs.js';
import { type FakeLink, FakeSource } from './intake/rig.js';
import { FakeBroker } from './uplink/fake-broker.js';

const DEVICES = 4;
/** From each device in one piece, every `STEP_MS`: 1,000 readings a second. */
const BURST = 4;
const STEP_MS = 16;
const STEPS = 250;
const WARM_UP_STEPS = 20;
/** Counts are the same in every run. */
const MAX_RISE = 1.001;
/** What a reading of one record may cost above its envelope, cursor and all other bookkeeping included. */
const MAX_BYTES = (envelope: number) => 1.6 * envelope + 100;

class Counted {
  readonly storage = new CountingStorage();
  readonly clock = new FakeClock();
  readonly broker = new FakeBroker();
  readonly #tcp = new FakeSource();
  readonly #peers: VirtualPeer[] = [];
  #gateway: Gateway | undefined;
  receipts = 0;
  receiptBytes = 0;
  envelopeBytes = 0;

  static async start(t: ExecutionContext): Promise<Counted> {
    const directory = await mkdtemp(join(tmpdir(), 'sovereign-'));
    const counted = new Counted();
    t.teardown(async () => {
      await counted.#gateway?.stop();
      await rm(directory, { recursive: true, force: true });
    });
    counted.broker.automatic = true;
    const identities = Array.from({ length: DEVICES }, (_, i) => new VirtualIdentity(nodeDigest, i + 1));
    const config = parseConfig(
      `site: cellar
gateway: gw
data: ${directory}
links: { tcp: { listen: "127.0.0.1:7683" } }
uplink: { broker: "mqtt://127.0.0.1:1883", readingTopic: false }
journal: { reserveBytes: 0 }
`,
      join(directory, 'config.yaml'),
    );
    counted.#gateway = await Gateway.start(
      config,
      {},
      { version: 'test', runtime: 'test', pid: 1 },
      {
        storage: counted.storage,
        clock: counted.clock,
        random: systemRandom,
        log: silentLog,
        digest: nodeDigest,
        broker: counted.broker,
        keyring: new Keyring(identities.map(identity => identity.entry())),
        serial: [],
        tcp: counted.#tcp,
        control: new FakeSource(),
      },
    );
    for (const identity of identities) counted.#connect(identity);
    return counted;
  }

  #connect(identity: VirtualIdentity): void {
    let link: FakeLink | undefined;
    const peer = new VirtualPeer(identity, bytes => link?.handler?.data(bytes));
    link = this.#tcp.connect('tcp:192.0.2.7', bytes => {
      this.receipts++;
      this.receiptBytes += bytes.length;
      peer.receive(bytes);
    });
    identity.startEpoch(0);
    peer.hello();
    this.#peers.push(peer);
  }

  /** One burst of each device; resolves when all of it is receipted and acknowledged by the broker. */
  async step(): Promise<void> {
    for (const peer of this.#peers) {
      const frames = Array.from({ length: BURST }, (_, i) => {
        const { bytes } = peer.identity.seal(20 + i / 8);
        this.envelopeBytes += bytes.length;
        return peer.frame(FrameType.reading, bytes);
      });
      peer.raw(Buffer.concat(frames));
    }
    await this.#rest();
    this.clock.advance(STEP_MS);
    await this.#rest();
  }

  async #rest(): Promise<void> {
    const done = () =>
      this.#peers.every(peer => (peer.receipt?.seq ?? -1) + 1 === peer.identity.next) &&
      this.broker.sent.length === this.#peers.reduce((sum, { identity }) => sum + identity.next, 0);
    for (let turn = 0, calm = 0; calm < 5; turn++) {
      if (turn > 20_000) throw new Error('what was sent is not receipted and published');
      await new Promise(resolve => (turn < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)));
      calm = done() ? calm + 1 : 0;
    }
    // Saving the cursor is asked of the disk by a timer, and answered when it pleases.
    await this.storage.idle();
  }
}

test('calls and bytes a reading, at 1,000 readings a second, do not rise', async t => {
  const counted = await Counted.start(t);
  for (let i = 0; i < WARM_UP_STEPS; i++) await counted.step();
  const { storage, broker } = counted;
  const count = () => ({
    writes: storage.writes,
    syncs: storage.syncs,
    writtenBytes: storage.writtenBytes,
    readBytes: storage.readBytes,
    receipts: counted.receipts,
    receiptBytes: counted.receiptBytes,
    published: broker.sent.length,
    envelopeBytes: counted.envelopeBytes,
  });
  const before = count();
  for (let i = 0; i < STEPS; i++) await counted.step();
  const after = count();
  const readings = STEPS * DEVICES * BURST;
  const each = (of: keyof typeof before) => (after[of] - before[of]) / readings;
  const envelope = each('envelopeBytes');
  const costs = {
    'writes to the disk': each('writes'),
    'syncs of the disk': each('syncs'),
    'bytes written, to one of the envelope': each('writtenBytes') / envelope,
    'bytes read again': each('readBytes'),
    'writes to links': each('receipts'),
    'bytes to links': each('receiptBytes'),
    'messages published': each('published'),
  };
  t.log(JSON.stringify({ envelope, ...costs }));
  t.true(each('writtenBytes') <= MAX_BYTES(envelope), `${each('writtenBytes')} bytes for ${envelope}`);
  t.deepEqual(
    compareCosts('a reading at 1,000 a second', costs, MAX_RISE, 'build/test/host/costs.test.js'),
    [],
  );
});
