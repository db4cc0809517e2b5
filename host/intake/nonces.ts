/**
 * The challenges of one link, and which of them a hello may answer.
 *
 * A hello counts when it answers the current challenge or the one before, and bears a device nonce that no
 * hello to that challenge bore before. Once a challenge has opened a session, older ones are void: so a hello
 * that somebody kept opens nothing, neither on another link nor later on this one.
 */
import { equalBytes, NONCE_BYTES } from '../../firmware/seal/index.js';
import type { Random } from '../ports.js';

/** A challenge that nobody has answered is repeated with the same nonce for so long. */
const FRESH_MS = 5_000;
/** Hellos that one challenge takes: a link that repeats challenges makes a device answer more than once. */
const MAX_ANSWERS = 8;

interface Challenge {
  readonly nonce: Uint8Array;
  readonly madeMs: number;
  readonly answers: Uint8Array[];
}

export class Nonces {
  readonly #random: Random;
  #current: Challenge | undefined;
  #previous: Challenge | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The nonce to challenge with now. */
  challenge(nowMs: number): Uint8Array {
    const current = this.#current;
    if (current !== undefined && current.answers.length === 0 && nowMs - current.madeMs < FRESH_MS)
      return current.nonce;
    const nonce = new Uint8Array(NONCE_BYTES);
    this.#random.fill(nonce);
    this.#previous = current;
    this.#current = { nonce, madeMs: nowMs, answers: [] };
    return nonce;
  }

  /** Whether a hello with these nonces may open a session; says nothing about its MAC. */
  mayOpen(bytes: Uint8Array, gatewayNonceAt: number, deviceNonceAt: number): boolean {
    const challenge = this.#find(bytes, gatewayNonceAt);
    if (challenge === undefined || challenge.answers.length >= MAX_ANSWERS) return false;
    return !challenge.answers.some(answer => equalBytes(answer, 0, bytes, deviceNonceAt, NONCE_BYTES));
  }

  /** An authentic hello with these nonces has opened a session. */
  opened(gatewayNonce: Uint8Array, deviceNonce: Uint8Array): void {
    const challenge = this.#find(gatewayNonce, 0);
    if (challenge === undefined) return;
    challenge.answers.push(deviceNonce);
    if (challenge === this.#current) this.#previous = undefined;
  }

  #find(bytes: Uint8Array, at: number): Challenge | undefined {
    for (const challenge of [this.#current, this.#previous])
      if (challenge && equalBytes(challenge.nonce, 0, bytes, at, NONCE_BYTES)) return challenge;
    return undefined;
  }
}
