/** The form of the JSON files in this folder. Byte strings are lower-case hex. */
import type { Facts, NamedSourceSettings, Verdict } from '../../firmware/seal/index.js';

/** A CBOR value in JSON: byte strings and maps are objects. */
export type Notation =
  | number
  | string
  | boolean
  | null
  | Notation[]
  | { bytes: string }
  | { map: [Notation, Notation][] };

export interface Cbor {
  source: string;
  /** Each with either its value or the fault that it is refused with. */
  cases: { note?: string; hex: string; value?: Notation; fault?: string }[];
  unencodable?: { number: string; fault: string }[];
}

export interface Sha256 {
  cases: { data: string; digest: string }[];
}

export interface Hmac {
  cases: { key: string; data: string; tag: string }[];
}

export interface Hkdf {
  cases: { prk: string; info: string; length: number; okm: string }[];
}

export interface Keys {
  root: string;
  id: string;
  down: string;
  epochs: { chain: string; seal: string; up: string }[];
}

/** A SenML record; `vd` in hex. */
export interface Record {
  n: string;
  u?: string;
  v?: number;
  vs?: string;
  vb?: boolean;
  vd?: string;
}

export interface Envelopes {
  id: string;
  /** Of epochs 0, 1, 2 … */
  chains: string[];
  /** What one device seals, in this order. */
  sealed: {
    epoch: number;
    seq: number;
    uptimeMs: number;
    unixMs: number;
    kind: number;
    prev: string;
    records: Record[];
    payload: string;
    structure: string;
    tag: string;
    envelope: string;
  }[];
  refused: { note: string; fault: string; hex: string }[];
  /** In order but for the tag, under the key of epoch 1. */
  forged: { note: string; hex: string }[];
}

export interface Frames {
  crc32: { hex: string; crc: string }[];
  cobs: { hex: string; encoded: string }[];
  frames: { type: number; body: string; frame: string }[];
  streams: {
    note: string;
    hex: string;
    frames: { type: number; body: string }[];
    noiseFrames: number;
    noiseBytes: number;
    oversized: number;
  }[];
}

export interface Messages {
  id: string;
  gatewayNonce: string;
  deviceNonce: string;
  requestNonce: string;
  /** up keys of epochs 0, 1, 2 … */
  up: string[];
  down: string;
  messages: {
    name: string;
    hex: string;
    counter?: number;
    epoch?: number;
    unixMs?: number;
    reason?: number;
    version?: number;
    settings?: NamedSourceSettings[];
    position?: { epoch: number; seq: number; tag8: string };
    hello?: {
      epoch: number;
      next: number;
      oldest?: { epoch: number; seq: number };
      backlog: number;
      losses: number;
      firmware: string;
      restart: string;
      configVersion?: number;
    };
  }[];
  refused: { note: string; parse: string; fault: string; hex: string }[];
  /** Of `config`: bytes that are no settings. */
  settingsRefused: { note: string; fault: string; hex: string }[];
}

export interface Verdicts {
  rows: (Facts & { verdict: Verdict })[];
}
