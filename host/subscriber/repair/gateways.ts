/** The gateways that a subscriber has heard of, by what they said last. */
import type { GatewayStatus, OfflineStatus } from '../../uplink/status.js';

export interface Gateway {
  readonly key: string;
  readonly site: string;
  readonly name: string;
  online: boolean;
  /** It answers when it is asked for readings. */
  fetch: boolean;
  /** How often it was heard: one that goes without its will being told stays online for us, and is heard no more. */
  heard: number;
}

/** Gateways that are remembered; more are those of somebody who floods the status topic. */
const MAX_GATEWAYS = 256;

export class Gateways {
  readonly #known = new Map<string, Gateway>();
  readonly #sites = new Set<string>();

  get(site: string, name: string): Gateway | undefined {
    return this.#known.get(`${site}/${name}`);
  }

  /** Whether there is one at a site. */
  at(site: string): boolean {
    return this.#sites.has(site);
  }

  [Symbol.iterator](): Iterator<Gateway> {
    return this.#known.values();
  }

  /** Undefined when it is one too many. */
  status(status: GatewayStatus | OfflineStatus): Gateway | undefined {
    const { site, gateway: name, state } = status;
    const key = `${site}/${name}`;
    let gateway = this.#known.get(key);
    if (gateway === undefined) {
      if (this.#known.size >= MAX_GATEWAYS) return undefined;
      gateway = { key, site, name, online: false, fetch: false, heard: 0 };
      this.#known.set(key, gateway);
      this.#sites.add(site);
    }
    gateway.online = state === 'online';
    gateway.heard++;
    // One that goes says nothing of it.
    if (status.state === 'online') gateway.fetch = status.fetch === true;
    return gateway;
  }
}
