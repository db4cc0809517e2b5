import test, { type ExecutionContext } from 'ava';
import {
  EnvelopeReader,
  equalBytes,
  fromHex,
  KeyChain,
  Kind,
  type Mac,
  readRecords,
  toHex,
} from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { cycles, ID, ROOT, withBoard } from './board.js';

const CYCLES = 1000;
const WARM_UP = 100;

test.serial(`${CYCLES} readings from sample to receipt on XS verify on Node and do not grow the heap`, t =>
  withBoard('noble', async xs => {
    const { envelopes } = await cycles(xs, WARM_UP);
    const before = await xs.heap();
    envelopes.push(...(await cycles(xs, CYCLES)).envelopes);
    const after = await xs.heap();
    t.log(
      `the heap grew by ${after.slots - before.slots} slots, ${after.chunkBytes - before.chunkBytes} bytes`,
    );
    t.true(after.slots <= before.slots);
    t.true(after.chunkBytes <= before.chunkBytes);

    await xs.call('boot', 'watchdog');
    envelopes.push(...(await cycles(xs, WARM_UP)).envelopes);
    const { value: counts } = await xs.call<Record<string, number>>('counts');
    t.is(counts.lost, 0);
    t.is(counts.untaken, 0);
    // The last readings of either boot are on their way: receipted, and the receipt not yet taken.
    t.true(counts.receipted >= counts.sealed - 4);
    t.true(counts.sealed >= CYCLES + 2 * WARM_UP);
    verify(t, envelopes);
  }),
);

/** Every envelope is authentic under the keys that Node derives, follows on the one before, and none is missing. */
function verify(t: ExecutionContext, envelopes: readonly string[]): void {
  const reader = new EnvelopeReader();
  const chain = new KeyChain(nodeDigest);
  let key = chain.first(fromHex(ROOT)!, fromHex(ID)!);
  let mac: Mac = nodeDigest.hmac(chain.seal(key));
  let [epoch, seq] = [0, -1];
  let tag8 = new Uint8Array(8);
  const names = new Map<string, number>();
  const kinds = new Map<number, number>();
  for (const hex of envelopes) {
    const bytes = fromHex(hex)!;
    t.is(reader.parse(bytes, 0, bytes.length), '');
    t.is(toHex(bytes, reader.idAt, reader.idAt + 8), ID);
    if (reader.epoch !== epoch) {
      key = chain.next(key);
      mac = nodeDigest.hmac(chain.seal(key));
      epoch++;
      seq = -1;
      tag8 = new Uint8Array(8);
    }
    t.is(reader.epoch, epoch);
    t.is(reader.seq, ++seq);
    t.true(reader.verify(mac));
    t.true(equalBytes(bytes, reader.prevAt, tag8, 0, 8));
    tag8 = bytes.slice(reader.tagAt, reader.tagAt + 8);
    kinds.set(reader.kind, (kinds.get(reader.kind) ?? 0) + 1);
    for (const { n } of readRecords(bytes, reader.recordsAt, reader.recordsEnd)) {
      names.set(n, (names.get(n) ?? 0) + 1);
    }
  }
  t.is(epoch, 1);
  t.is(kinds.get(Kind.start), 2);
  t.true(kinds.get(Kind.heartbeat)! >= 1);
  for (const name of ['temperature', 'supply', 'running']) t.true(names.get(name)! >= CYCLES / 3, name);
}
