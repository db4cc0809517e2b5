/**
 * Holds an implementation of the seal against the vectors of this folder. Plain functions without any platform:
 * the same run on Node and on XS. Each returns what failed, nothing when all is well.
 */
import type { CborValue, Digest, Hello, RecordWriter } from '../../firmware/seal/index.js';
import type * as Vectors from './types.js';

export interface Implementation {
  readonly seal: typeof import('../../firmware/seal/index.js');
  readonly digest: Digest;
}

// biome-ignore lint/suspicious/noExplicitAny: each check knows the form of its own file
type Check = (implementation: Implementation, vectors: any) => string[];

/** Which function reads which file: for whoever runs them all. */
export const CHECKS: readonly { readonly file: string; readonly check: Check }[] = [
  { file: 'cbor-rfc8949.json', check: checkCbor },
  { file: 'cbor-rules.json', check: checkCbor },
  { file: 'sha256-fips180.json', check: checkSha256 },
  { file: 'hmac-rfc4231.json', check: checkHmac },
  { file: 'hkdf-rfc5869.json', check: checkHkdf },
  { file: 'keys.json', check: checkKeys },
  { file: 'envelopes.json', check: checkEnvelopes },
  { file: 'frames.json', check: checkFrames },
  { file: 'messages.json', check: checkMessages },
  { file: 'verdicts.json', check: checkVerdicts },
];

/** Collects what is not as expected. */
class Findings {
  readonly list: string[] = [];

  same(what: string, actual: unknown, expected: unknown): void {
    if (actual !== expected) this.list.push(`${what}: expected ${String(expected)}, got ${String(actual)}`);
  }
}

function unhex(implementation: Implementation, text: string): Uint8Array {
  const bytes = implementation.seal.fromHex(text);
  if (bytes === undefined) throw new Error(`not hex: ${text}`);
  return bytes;
}

function fromNotation(implementation: Implementation, value: Vectors.Notation): CborValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(item => fromNotation(implementation, item));
  if ('bytes' in value) return unhex(implementation, value.bytes);
  const pairs = (value as { map: [Vectors.Notation, Vectors.Notation][] }).map;
  // The other way round, so that the writer has something to sort.
  const reversed = pairs.slice().reverse();
  return new Map(
    reversed.map(([k, v]) => [fromNotation(implementation, k), fromNotation(implementation, v)]),
  );
}

function toNotation(implementation: Implementation, value: CborValue): Vectors.Notation {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { bytes: implementation.seal.toHex(value) };
  if (value instanceof Map) {
    const pairs = [...(value as ReadonlyMap<CborValue, CborValue>)];
    return { map: pairs.map(([k, v]) => [toNotation(implementation, k), toNotation(implementation, v)]) };
  }
  return (value as readonly CborValue[]).map(item => toNotation(implementation, item));
}

export function checkCbor(implementation: Implementation, vectors: Vectors.Cbor): string[] {
  const { seal } = implementation;
  const found = new Findings();
  for (const { hex, value, fault } of vectors.cases) {
    const bytes = unhex(implementation, hex);
    const decoded = seal.decodeValue(bytes);
    const reader = new seal.CborReader();
    reader.reset(bytes);
    reader.skip();
    reader.finish();
    found.same(`${hex} skipped`, reader.fault, fault ?? '');
    if (fault !== undefined || value === undefined) {
      found.same(`${hex} decoded`, 'fault' in decoded ? decoded.fault : 'a value', fault);
      continue;
    }
    const notation =
      'value' in decoded ? JSON.stringify(toNotation(implementation, decoded.value)) : decoded.fault;
    found.same(`${hex} decoded`, notation, JSON.stringify(value));
    found.same(`${hex} encoded`, seal.toHex(seal.encodeValue(fromNotation(implementation, value))), hex);
  }
  for (const { number, fault } of vectors.unencodable ?? []) {
    const writer = new seal.CborWriter(new Uint8Array(16));
    writer.number(Number(number));
    found.same(`${number} encoded`, writer.fault, fault);
    found.same(`${number} written`, writer.position, 0);
  }
  return found.list;
}

export function checkSha256({ seal, digest }: Implementation, vectors: Vectors.Sha256): string[] {
  const found = new Findings();
  for (const { data, digest: expected } of vectors.cases) {
    // Not at the beginning of the arrays, so that the positions count.
    const bytes = unhex({ seal, digest }, `ff${data}ff`);
    const out = new Uint8Array(40);
    digest.sha256(bytes, 1, bytes.length - 1, out, 5);
    found.same(`SHA-256 of ${data.length / 2} bytes`, seal.toHex(out), `0000000000${expected}000000`);
  }
  return found.list;
}

export function checkHmac({ seal, digest }: Implementation, vectors: Vectors.Hmac): string[] {
  const found = new Findings();
  for (const { key, data, tag } of vectors.cases) {
    const keyBytes = unhex({ seal, digest }, key);
    const mac = digest.hmac(keyBytes);
    keyBytes.fill(0); // the driver has its own copy
    const bytes = unhex({ seal, digest }, `ff${data}ff`);
    const out = new Uint8Array(33);
    for (let time = 0; time < 2; time++) {
      mac.compute(bytes, 1, bytes.length - 1, out, 1);
      found.same(`HMAC under ${key}`, seal.toHex(out, 1, 1 + tag.length / 2), tag);
    }
  }
  return found.list;
}

export function checkHkdf(implementation: Implementation, vectors: Vectors.Hkdf): string[] {
  const { seal, digest } = implementation;
  const found = new Findings();
  for (const { prk, info, length, okm } of vectors.cases) {
    const key = seal.hkdfExpand(digest, unhex(implementation, prk), unhex(implementation, info), length);
    found.same(`Expand of ${prk}`, seal.toHex(key), okm);
  }
  return found.list;
}

export function checkKeys(implementation: Implementation, vectors: Vectors.Keys): string[] {
  const { seal, digest } = implementation;
  const found = new Findings();
  const chain = new seal.KeyChain(digest);
  const root = unhex(implementation, vectors.root);
  const id = unhex(implementation, vectors.id);
  found.same('down', seal.toHex(chain.down(root, id)), vectors.down);
  let key = chain.first(root, id);
  vectors.epochs.forEach((expected, epoch) => {
    found.same(`chain ${epoch}`, seal.toHex(key), expected.chain);
    found.same(`seal ${epoch}`, seal.toHex(chain.seal(key)), expected.seal);
    found.same(`up ${epoch}`, seal.toHex(chain.up(key)), expected.up);
    key = chain.next(key);
  });
  return found.list;
}

export function checkEnvelopes(implementation: Implementation, vectors: Vectors.Envelopes): string[] {
  const { seal, digest } = implementation;
  const found = new Findings();
  const chain = new seal.KeyChain(digest);
  const sealer = new seal.Sealer(digest, unhex(implementation, vectors.id));
  const reader = new seal.EnvelopeReader();
  let epoch = -1;
  for (const expected of vectors.sealed) {
    const what = `envelope ${expected.epoch}/${expected.seq}`;
    const chainKey = unhex(implementation, vectors.chains[expected.epoch]);
    if (expected.epoch !== epoch) sealer.startEpoch(expected.epoch, chainKey);
    epoch = expected.epoch;
    found.same(`${what} next`, sealer.nextSeq, expected.seq);
    const out = sealer.begin(expected.uptimeMs, expected.unixMs, expected.kind);
    for (const record of expected.records) writeRecord(implementation, out, record);
    const length = sealer.seal();
    found.same(`${what} fault`, sealer.fault, '');
    const sealed = seal.toHex(sealer.buffer, sealer.start, sealer.start + length);
    found.same(`${what} sealed`, sealed, expected.envelope);

    // Somewhere in a larger array, as the reader finds it in a frame.
    const bytes = unhex(implementation, `aaaaaa${expected.envelope}bb`);
    found.same(`${what} parsed`, reader.parse(bytes, 3, bytes.length - 1), '');
    found.same(`${what} id`, seal.toHex(bytes, reader.idAt, reader.idAt + 8), vectors.id);
    found.same(`${what} epoch`, reader.epoch, expected.epoch);
    found.same(`${what} seq`, reader.seq, expected.seq);
    found.same(`${what} uptimeMs`, reader.uptimeMs, expected.uptimeMs);
    found.same(`${what} unixMs`, reader.unixMs, expected.unixMs);
    found.same(`${what} kind`, reader.kind, expected.kind);
    found.same(`${what} prev`, seal.toHex(bytes, reader.prevAt, reader.prevAt + 8), expected.prev);
    found.same(`${what} tag`, seal.toHex(bytes, reader.tagAt, reader.tagAt + 32), expected.tag);
    const records = seal.readRecords(bytes, reader.recordsAt, reader.recordsEnd).map(record => {
      const { vd, ...rest } = record;
      return vd === undefined ? rest : { ...rest, vd: seal.toHex(vd) };
    });
    found.same(`${what} records`, JSON.stringify(records), JSON.stringify(expected.records));
    const untouched = seal.toHex(bytes);
    found.same(`${what} verified`, reader.verify(digest.hmac(chain.seal(chainKey))), true);
    found.same(`${what} after it was verified`, seal.toHex(bytes), untouched);
    found.same(`${what} under another key`, reader.verify(digest.hmac(chain.up(chainKey))), false);
  }
  for (const { note, hex, fault } of vectors.refused) {
    const bytes = unhex(implementation, hex);
    found.same(note, reader.parse(bytes, 0, bytes.length), fault);
  }
  const mac = digest.hmac(chain.seal(unhex(implementation, vectors.chains[1])));
  for (const { note, hex } of vectors.forged) {
    const bytes = unhex(implementation, hex);
    found.same(`${note}, parsed`, reader.parse(bytes, 0, bytes.length), '');
    found.same(note, reader.verify(mac), false);
  }
  return found.list;
}

function writeRecord(implementation: Implementation, out: RecordWriter, record: Vectors.Record): void {
  const { seal } = implementation;
  const label = seal.label(record.n, record.u);
  if (record.v !== undefined) out.number(label, record.v);
  else if (record.vs !== undefined) out.text(label, seal.utf8(record.vs));
  else if (record.vb !== undefined) out.bool(label, record.vb);
  else out.data(label, unhex(implementation, record.vd ?? ''));
}

export function checkFrames(implementation: Implementation, vectors: Vectors.Frames): string[] {
  const { seal } = implementation;
  const found = new Findings();
  const crc = new seal.Crc32();
  for (const { hex, crc: expected } of vectors.crc32) {
    const bytes = unhex(implementation, hex);
    const value = crc.compute(bytes, 0, bytes.length) >>> 0;
    found.same(`CRC-32 of ${hex}`, (value + 0x100000000).toString(16).slice(1), expected);
  }
  for (const { hex, encoded } of vectors.cobs) {
    const bytes = unhex(implementation, hex);
    const out = new Uint8Array(seal.cobsBound(bytes.length) + 1);
    out.set(bytes, 1);
    const end = seal.cobsEncode(out, 0, bytes.length + 1);
    found.same(`COBS of ${hex}`, seal.toHex(out, 0, end), encoded);
  }
  const encoder = new seal.FrameEncoder();
  let got: { type: number; body: string }[] = [];
  const take = (type: number, buffer: Uint8Array, from: number, to: number) => {
    got.push({ type, body: seal.toHex(buffer, from, to) });
  };
  for (const { type, body, frame } of vectors.frames) {
    const length = encoder.encode(type, unhex(implementation, body));
    found.same(`frame of type ${type}`, seal.toHex(encoder.buffer, 0, length), frame);
    got = [];
    new seal.FrameDecoder(take).push(encoder.buffer, 0, length);
    found.same(`frame of type ${type} decoded`, JSON.stringify(got), JSON.stringify([{ type, body }]));
  }
  for (const { note, hex, frames, noiseFrames, noiseBytes, oversized } of vectors.streams) {
    const bytes = unhex(implementation, hex);
    for (const chunk of [1, 7, bytes.length]) {
      got = [];
      const decoder = new seal.FrameDecoder(take);
      for (let at = 0; at < bytes.length; at += chunk)
        decoder.push(bytes, at, Math.min(at + chunk, bytes.length));
      found.same(note, JSON.stringify(got), JSON.stringify(frames));
      found.same(`${note}: frames`, decoder.frames, frames.length);
      found.same(`${note}: noiseFrames`, decoder.noiseFrames, noiseFrames);
      found.same(`${note}: noiseBytes`, decoder.noiseBytes, noiseBytes);
      found.same(`${note}: oversized`, decoder.oversized, oversized);
    }
  }
  return found.list;
}

export function checkMessages(implementation: Implementation, vectors: Vectors.Messages): string[] {
  const { seal, digest } = implementation;
  const found = new Findings();
  const id = unhex(implementation, vectors.id);
  const nonces = {
    gateway: unhex(implementation, vectors.gatewayNonce),
    device: unhex(implementation, vectors.deviceNonce),
  };
  const request = unhex(implementation, vectors.requestNonce);
  const up = vectors.up.map(key => digest.hmac(unhex(implementation, key)));
  const down = digest.hmac(unhex(implementation, vectors.down));
  const writer = new seal.MessageWriter();
  const reader = new seal.MessageReader();
  for (const message of vectors.messages) {
    const { name, hex, hello, position } = message;
    const counter = message.counter ?? 0;
    const epoch = hello?.epoch ?? message.epoch ?? 0;
    const named =
      position === undefined ? undefined : { ...position, tag8: unhex(implementation, position.tag8) };
    let length = 0;
    if (name === 'challenge') length = writer.challenge(nonces.gateway);
    else if (name === 'knock') length = writer.knock(id);
    else if (name === 'hello') length = writer.hello(up[epoch], id, nonces, hello as Hello);
    else if (name === 'timeRequest') length = writer.timeRequest(up[epoch], id, nonces, epoch, request);
    else if (name === 'receipt') length = writer.receipt(down, id, nonces, counter, named);
    else if (name === 'time') length = writer.time(down, id, nonces, counter, request, message.unixMs ?? 0);
    else if (name === 'refuse')
      length = writer.refuse(down, id, nonces, counter, named!, message.reason ?? 0);
    else if (name === 'advance') length = writer.advance(down, id, nonces, counter, epoch);
    else if (name === 'config') {
      const settings = seal.encodeSourceSettings(message.settings ?? []) ?? new Uint8Array(0);
      length = writer.config(down, id, nonces, counter, message.version ?? 0, settings);
    }
    found.same(`${name} written`, seal.toHex(writer.buffer, writer.start, writer.start + length), hex);

    const bytes = unhex(implementation, `aa${hex}aa`);
    const to = bytes.length - 1;
    const at = (from: number, size: number) => seal.toHex(bytes, from, from + size);
    if (name === 'challenge') {
      found.same(name, reader.parseChallenge(bytes, 1, to), '');
      found.same(`${name} nonce`, at(reader.gwNonceAt, 16), vectors.gatewayNonce);
      continue;
    }
    if (name === 'knock') {
      found.same(name, reader.parseKnock(bytes, 1, to), '');
      found.same(`${name} id`, at(reader.idAt, 8), vectors.id);
      continue;
    }
    const isUp = name === 'hello' || name === 'timeRequest';
    found.same(name, isUp ? reader.parseUp(bytes, 1, to) : reader.parseDown(bytes, 1, to), '');
    found.same(`${name} verified`, reader.verify(isUp ? up[epoch] : down), true);
    found.same(`${name} under another key`, reader.verify(isUp ? down : up[1]), false);
    found.same(`${name} id`, at(reader.idAt, 8), vectors.id);
    found.same(`${name} gateway nonce`, at(reader.gwNonceAt, 16), vectors.gatewayNonce);
    found.same(`${name} device nonce`, at(reader.devNonceAt, 16), vectors.deviceNonce);
    if (name !== 'receipt' && name !== 'time' && name !== 'refuse' && name !== 'config')
      found.same(`${name} epoch`, reader.epoch, epoch);
    if (!isUp) found.same(`${name} counter`, reader.counter, counter);
    if (name === 'timeRequest' || name === 'time') {
      found.same(`${name} request`, at(reader.requestNonceAt, 8), vectors.requestNonce);
    }
    if (name === 'time') found.same(`${name} unixMs`, reader.unixMs, message.unixMs);
    if (name === 'refuse') found.same(`${name} reason`, reader.reason, message.reason);
    if (name === 'receipt') found.same(`${name} hasPosition`, reader.hasPosition, position !== undefined);
    if (name === 'config') {
      found.same(`${name} version`, reader.configVersion, message.version);
      const settings = seal.readSourceSettings(bytes, reader.settingsAt, reader.settingsEnd);
      found.same(`${name} settings`, JSON.stringify(settings), JSON.stringify(message.settings));
    }
    if (position !== undefined) {
      found.same(`${name} epoch`, reader.epoch, position.epoch);
      found.same(`${name} seq`, reader.seq, position.seq);
      found.same(`${name} tag8`, at(reader.tag8At, 8), position.tag8);
    }
    if (hello !== undefined) {
      found.same(`${name} next`, reader.next, hello.next);
      found.same(`${name} oldest epoch`, reader.oldestEpoch, hello.oldest?.epoch ?? -1);
      found.same(`${name} oldest seq`, reader.oldestSeq, hello.oldest?.seq ?? -1);
      found.same(`${name} backlog`, reader.backlog, hello.backlog);
      found.same(`${name} losses`, reader.losses, hello.losses);
      found.same(
        `${name} firmware`,
        seal.fromUtf8(bytes, reader.firmwareAt, reader.firmwareEnd),
        hello.firmware,
      );
      found.same(`${name} settings' version`, reader.configVersion, hello.configVersion ?? -1);
      found.same(`${name} restart`, seal.fromUtf8(bytes, reader.restartAt, reader.restartEnd), hello.restart);
    }
  }
  for (const { note, parse, hex, fault } of vectors.refused) {
    const bytes = unhex(implementation, hex);
    const result =
      parse === 'challenge'
        ? reader.parseChallenge(bytes, 0, bytes.length)
        : parse === 'knock'
          ? reader.parseKnock(bytes, 0, bytes.length)
          : parse === 'up'
            ? reader.parseUp(bytes, 0, bytes.length)
            : reader.parseDown(bytes, 0, bytes.length);
    found.same(note, result, fault);
  }
  for (const { note, hex, fault } of vectors.settingsRefused) {
    const bytes = unhex(implementation, hex);
    found.same(note, JSON.stringify(seal.readSourceSettings(bytes, 0, bytes.length)), JSON.stringify(fault));
  }
  return found.list;
}

export function checkVerdicts({ seal }: Implementation, vectors: Vectors.Verdicts): string[] {
  const found = new Findings();
  for (const row of vectors.rows) {
    found.same(`${row.where} ${row.link} ${row.held} ${row.memory}`, seal.classify(row), row.verdict);
  }
  found.same('rows', vectors.rows.length, 72);
  return found.list;
}
