/**
 * Who may talk to the page's server. A browser carries whatever page its user has open to any address that he can reach,
 * loopback too, so:
 *
 * - `Host` must be an address or a name of this machine. A foreign name that resolves to this machine (DNS rebinding) would
 *   make a foreign page one of ours.
 * - The `Origin` of a WebSocket must be the page itself: WebSockets are not held back by the same-origin policy.
 * - A token is compared in a time that tells nothing about it.
 */
import { type Digest, equalBytes } from '../../firmware/seal/index.js';
import { refusal } from './assets.js';
import type { HttpRequest, HttpResponse, HttpSource } from './ports.js';

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;
const ADDRESS = /^(\[.*\]|\d{1,3}(\.\d{1,3}){3})$/;

export class Guard {
  readonly #names: ReadonlySet<string>;

  /** @param names under which this machine is known, beside its addresses and `localhost` */
  constructor(names: readonly string[]) {
    this.#names = new Set(['localhost', ...names.map(name => name.toLowerCase())]);
  }

  /** Whether a request means this machine. Addresses always do: nobody can make them resolve to another. */
  isOurs(request: HttpRequest): boolean {
    const name = HOST.exec(request.host)?.[1];
    // No browser is at what is no URL, such as an address with a number above 255.
    if (name === undefined || !URL.canParse(`http://${request.host}/`)) return false;
    return ADDRESS.test(name) || this.#names.has(name);
  }

  /** Whether our own page asks, as the browser tells it. */
  isOurPage(request: HttpRequest): boolean {
    const origin = request.header('origin') ?? '';
    if (!/^https?:\/\//.test(origin) || !URL.canParse(origin)) return false;
    return this.isOurs(request) && new URL(origin).host === request.host;
  }
}

/** What is said to a request that does not mean this machine. `setting`: where its names stand. */
export function strangeName({ host }: HttpRequest, setting: string): HttpResponse {
  const name = JSON.stringify(host.slice(0, 200));
  return refusal(
    421,
    `this gateway is not known as ${name}: ask for it by its address, or add the name to ${setting} in its configuration`,
  );
}

/** Lets through what means this machine. */
export function guardedSource(source: HttpSource, guard: Guard, setting: string): HttpSource {
  return {
    get port() {
      return source.port;
    },
    start: handler =>
      source.start({
        request: request =>
          guard.isOurs(request) ? handler.request(request) : strangeName(request, setting),
      }),
    stop: () => source.stop(),
  };
}

const DIGEST_BYTES = 32;

/** A token, of which only its digest is kept. */
export class TokenCheck {
  readonly #digest: Digest;
  readonly #expected: Uint8Array;

  constructor(digest: Digest, token: string) {
    this.#digest = digest;
    this.#expected = this.#of(token);
  }

  /** Takes as long for every token of a length. */
  accepts(token: string): boolean {
    return equalBytes(this.#of(token), 0, this.#expected, 0, DIGEST_BYTES);
  }

  #of(token: string): Uint8Array {
    const bytes = new TextEncoder().encode(token);
    const out = new Uint8Array(DIGEST_BYTES);
    this.#digest.sha256(bytes, 0, bytes.length, out, 0);
    return out;
  }
}
