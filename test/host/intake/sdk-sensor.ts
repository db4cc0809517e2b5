import { createHash, createHmac } from 'node:crypto';
import type { KeyringEntry } from '../../../host/keyring/entry.js';

/** A sensor that speaks sovereign-sdk version 1. */
export class Sensor {
  readonly node: string;
  readonly key: Buffer;

  constructor(node: string) {
    this.node = node;
    this.key = createHash('sha256').update(`key of ${node}`).digest();
  }

  get id(): string {
    return createHash('sha256').update(this.node).digest('hex').slice(0, 16);
  }

  entry(allowReset = false): KeyringEntry {
    const sdk = { node: this.node, key: this.key, allowReset };
    return { id: this.id, name: `sensor-${this.id.slice(0, 4)}`, epoch: 0, chain: new Uint8Array(0), sdk };
  }

  frame(sequence: number, value: string | number = 23): string {
    const payload = `{"value":${value}}`;
    const size = Buffer.byteLength(this.node);
    const message = `1|${size}:${this.node}|4:2026|${sequence}|11:hmac-sha256|${payload}`;
    const mac = createHmac('sha256', this.key).update(message).digest('hex');
    const node = JSON.stringify(this.node);
    return `{"alg":"hmac-sha256","d":${payload},"n":${node},"q":${sequence},"s":"${mac}","t":"2026","v":1}`;
  }
}
