/**
 * Frames in over real TCP, verified, journalled on the real disk, receipted: 50 devices, each with as many
 * readings in flight as its window holds. Beside it, what the machine does when it only verifies the same
 * envelopes, or only computes their HMACs.
 */
import { createHmac, createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvelopeReader, FrameType, toHex } from '../../firmware/seal/index.js';
import { Intake } from '../../host/intake/intake.js';
import { Journal } from '../../host/journal/journal.js';
import { Keyring } from '../../host/keyring/file.js';
import { systemClock } from '../../host/node/clock.js';
import { nodeDigest } from '../../host/node/digest.js';
import { systemRandom } from '../../host/node/random.js';
import { NodeStorage } from '../../host/node/storage.js';
import { TcpListener } from '../../host/node/tcp.js';
import type { Log } from '../../host/ports.js';
import { VirtualIdentity, VirtualPeer } from '../support/virtual-peer.js';
import { median } from './figures.js';
import { type Row, share } from './row.js';

const DEVICES = 50;
/** In flight a device. */
const WINDOW = 256;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface Sender {
  readonly identity: VirtualIdentity;
  readonly envelopes: Uint8Array[];
  /** All frames in one piece, and where each ends. */
  readonly stream: Uint8Array;
  readonly ends: number[];
}

function prepare(number: number, readings: number): Sender {
  const identity = new VirtualIdentity(nodeDigest, number);
  const framer = new VirtualPeer(identity, () => {});
  const envelopes = identity.sealMany(0, readings).map(({ bytes }) => bytes);
  const frames = envelopes.map(bytes => framer.frame(FrameType.reading, bytes));
  let end = 0;
  const ends = frames.map(({ length }) => {
    end += length;
    return end;
  });
  return { identity, envelopes, stream: Buffer.concat(frames), ends };
}

/** Sends one device's readings, a window at a time; resolves when the last is receipted. */
function drive(sender: Sender, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const { stream, ends } = sender;
    const peer = new VirtualPeer(sender.identity, bytes => socket.write(bytes));
    let sent = 0;
    let greeted = false;
    socket.on('error', reject);
    socket.on('data', chunk => {
      peer.receive(chunk);
      if (!greeted && peer.challenges.length > 0) {
        greeted = true;
        peer.hello();
      }
      const receipt = peer.receipt;
      if (receipt === undefined) return;
      const receipted = receipt.seq === undefined ? 0 : receipt.seq + 1;
      peer.said.length = 0;
      if (receipted === ends.length) {
        resolve(socket);
        return;
      }
      const until = Math.min(receipted + WINDOW, ends.length);
      if (until > sent) socket.write(stream.subarray(sent === 0 ? 0 : ends[sent - 1], ends[until - 1]));
      sent = Math.max(sent, until);
    });
  });
}

async function wholeWay(senders: readonly Sender[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-bench-'));
  const storage = new NodeStorage();
  const journal = await Journal.open(
    { storage, clock: systemClock, log: silent },
    { directory: join(directory, 'journal') },
  );
  const intake = await Intake.open(
    { clock: systemClock, random: systemRandom, log: silent, storage, digest: nodeDigest },
    journal,
    new Keyring(senders.map(({ identity }) => identity.entry())),
    {
      quarantineDirectory: join(directory, 'quarantine'),
      evidenceDirectory: join(directory, 'evidence'),
    },
  );
  const listener = new TcpListener(
    { host: '127.0.0.1', port: 0, prefix: 'tcp', setting: 'links.tcp.listen', maxConnections: 1024 },
    silent,
  );
  await intake.listenTcp(listener, 128);
  const start = performance.now();
  const sockets = await Promise.all(senders.map(sender => drive(sender, listener.port)));
  const elapsedMs = performance.now() - start;
  for (const socket of sockets) socket.destroy();
  await intake.stop();
  await journal.close();
  rmSync(directory, { recursive: true, force: true });
  return elapsedMs;
}

/** Parses and verifies every envelope, one key a device, and nothing else. */
function verifyOnly(senders: readonly Sender[]): number {
  const reader = new EnvelopeReader();
  const start = performance.now();
  for (const { identity, envelopes } of senders) {
    const mac = nodeDigest.hmac(sealKey(identity));
    for (const bytes of envelopes)
      if (reader.parse(bytes, 0, bytes.length) !== '' || !reader.verify(mac))
        throw new Error(`${toHex(bytes)} does not verify`);
  }
  return performance.now() - start;
}

/** As everybody would write it: `createHmac` over the same bytes. */
function hmacOnly(senders: readonly Sender[]): number {
  const start = performance.now();
  for (const { identity, envelopes } of senders) {
    const key = createSecretKey(sealKey(identity));
    for (const bytes of envelopes)
      createHmac('sha256', key)
        .update(bytes.subarray(0, bytes.length - 34))
        .digest();
  }
  return performance.now() - start;
}

const sealKey = (identity: VirtualIdentity) => identity.sealKey(0);

/** @param readings of each of the 50 devices, in each of three runs */
export async function intakeRows(readings = 4_000): Promise<Row[]> {
  const senders = Array.from({ length: DEVICES }, (_, i) => prepare(i + 1, readings));
  const total = DEVICES * readings;
  const perSecond = (ms: number) => Math.round((total / ms) * 1_000);
  const whole: number[] = [];
  const bare: number[] = [];
  const hmac: number[] = [];
  for (let run = 0; run < 3; run++) {
    hmac.push(hmacOnly(senders));
    bare.push(verifyOnly(senders));
    whole.push(await wholeWay(senders));
  }
  const bareHmac = perSecond(median(hmac));
  const row = (name: string, ms: number[]): Row => {
    const value = perSecond(median(ms));
    const share = Math.round((100 * value) / bareHmac);
    return { name, value, unit: 'readings/s', reference: `${share} % of bare HMAC, ${bareHmac}/s` };
  };
  return [
    row(`intake: tcp, verified, journalled, receipted, ${DEVICES} devices in the same process`, whole),
    row('envelopes parsed and verified, nothing else', bare),
  ];
}
