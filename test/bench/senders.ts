/**
 * Devices whose readings are sealed and framed before the clock starts, so that what they cost is not counted: each keeps a
 * window full until all of its readings are receipted.
 */
import { connect, type Socket } from 'node:net';
import { FrameType } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { VirtualIdentity, VirtualPeer } from '../support/virtual-peer.js';

export interface Sender {
  readonly identity: VirtualIdentity;
  readonly envelopes: readonly Uint8Array[];
  /** All frames in one piece, and where each ends. */
  readonly stream: Uint8Array;
  readonly ends: readonly number[];
}

/** @param first number of a device: numbers name devices */
export function prepareSenders(devices: number, readings: number, first = 1): Sender[] {
  return Array.from({ length: devices }, (_, i) => prepare(first + i, readings));
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

/** @param sending called when all sessions are open @returns how many ms it took from then to the last receipt */
export async function sendAll(
  senders: readonly Sender[],
  port: number,
  window: number,
  sending: () => void = () => {},
): Promise<number> {
  const open: Open[] = [];
  // Not all at a time: a gateway holds few connections that have not said who they are.
  for (const sender of senders) open.push(await openSession(sender, port));
  sending();
  const began = performance.now();
  await Promise.all(open.map(session => send(session, window)));
  const ms = performance.now() - began;
  for (const { socket } of open) socket.destroy();
  return ms;
}

interface Open {
  readonly sender: Sender;
  readonly socket: Socket;
  readonly peer: VirtualPeer;
}

function openSession(sender: Sender, port: number): Promise<Open> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const peer = new VirtualPeer(sender.identity, bytes => socket.write(bytes));
    socket.once('error', reject);
    const hear = (chunk: Buffer) => {
      peer.receive(chunk);
      if (peer.challenges.length === 0) return;
      socket.off('data', hear);
      peer.hello();
      resolve({ sender, socket, peer });
    };
    socket.on('data', hear);
  });
}

function send({ sender, socket, peer }: Open, window: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stream, ends } = sender;
    let sent = 0;
    const fill = (receipted: number) => {
      const until = Math.min(receipted + window, ends.length);
      if (until > sent) socket.write(stream.subarray(sent === 0 ? 0 : ends[sent - 1], ends[until - 1]));
      sent = Math.max(sent, until);
    };
    socket.on('error', reject);
    socket.on('data', chunk => {
      peer.receive(chunk);
      const { receipt } = peer;
      if (receipt === undefined) return;
      peer.said.length = 0;
      const receipted = receipt.seq === undefined ? 0 : receipt.seq + 1;
      if (receipted === ends.length) resolve();
      else fill(receipted);
    });
    fill(0);
  });
}
