/** The thread of `Feeder`: tells its port, then for each client how long it took. */
import { createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { type PacketLength, packetLength } from '../../host/node/mqtt-packets.js';
import type { Feed } from './feeder.js';

const CONNECT = 1;
const PUBACK = 4;
const SUBSCRIBE = 8;
const PINGREQ = 12;
/** A client that has said so long no further SUBSCRIBE has said all. */
const SUBSCRIBED_MS = 50;

const { feed, window } = workerData as { feed: Feed; window: number };
const bytes = Buffer.from(feed.bytes);
const { ends } = feed;

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let sent = 0;
  let acknowledged = 0;
  let began = 0;
  let subscribed: NodeJS.Timeout | undefined;
  const length: PacketLength = { bytes: 0, headBytes: 0 };
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      packetLength(rest, at, length);
      if (length.bytes <= 0 || at + length.bytes > rest.length) break;
      const type = rest[at] >> 4;
      if (type === PUBACK) acknowledged++;
      else answer(type, at + length.headBytes, at + length.bytes);
      at += length.bytes;
    }
    rest = rest.subarray(at);
    if (began > 0) go();
  });

  function answer(type: number, from: number, to: number): void {
    if (type === CONNECT) socket.write(Uint8Array.of(0x20, 3, 0, 0, 0));
    else if (type === PINGREQ) socket.write(Uint8Array.of(0xd0, 0));
    else if (type === SUBSCRIBE) {
      // Packet id, no properties, then filters: a length, a text, options.
      let filters = 0;
      for (let at = from + 3; at < to; at += 2 + rest.readUInt16BE(at) + 1) filters++;
      const granted = new Uint8Array(filters).fill(1);
      socket.write(Uint8Array.of(0x90, 3 + filters, rest[from], rest[from + 1], 0, ...granted));
      clearTimeout(subscribed);
      subscribed = setTimeout(() => {
        began = performance.now();
        go();
      }, SUBSCRIBED_MS);
    }
  }

  function go(): void {
    if (acknowledged === ends.length) {
      parentPort!.postMessage(performance.now() - began);
      began = 0;
      return;
    }
    const until = Math.min(ends.length, acknowledged + window);
    if (until === sent) return;
    socket.write(bytes.subarray(sent === 0 ? 0 : ends[sent - 1], ends[until - 1]));
    sent = until;
  }
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  parentPort!.postMessage((server.address() as { port: number }).port);
});
