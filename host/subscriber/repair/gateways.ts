/** The gateways that a subscriber has heard of, by what they said last. */
import type { GatewayStatus, OfflineStatus } from '../../uplink/status.js';

export interface Gateway {
  readonly key: string;
  readonly site: string;
  readonly name: string;
  online: boolean;
  /** It answers when it is asked for readings. */
  fetch: boolean;
  /**
   * The name of the one that goes on for it, restored from its backup; undefined: none does. It may be gone for ever, with
   * whatever it alone had.
   */
  replacedBy: string | undefined;
  /** When it last spoke before that was known, by its own clock; -1: it was not heard yet. */
  saidAt: number;
  /** It has spoken since. */
  speaks: boolean;
  /** The end of its journal, as it said last. */
  head: number;
  /** How often it was heard: one that goes without its will being told stays online for us, and is heard no more. */
  heard: number;
}

/** Another one goes on for it, and it has been silent since: nobody waits for it. */
export const isReplaced = ({ replacedBy, speaks }: Gateway) => replacedBy !== undefined && !speaks;

/** Gateways that are remembered; more are those of somebody who floods the status topic. */
const MAX_GATEWAYS = 256;

export class Gateways {
  readonly #known = new Map<string, Gateway>();
  readonly #sites = new Set<string>();
  /** Which gateway goes on for which, by key. */
  readonly #replaced = new Map<string, string>();

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
      const replacedBy = this.#replaced.get(key);
      gateway = {
        key,
        site,
        name,
        online: false,
        fetch: false,
        replacedBy,
        saidAt: -1,
        speaks: false,
        head: 0,
        heard: 0,
      };
      this.#known.set(key, gateway);
      this.#sites.add(site);
    }
    gateway.online = state === 'online';
    gateway.heard++;
    // One that goes says nothing of it.
    if (status.state === 'online') {
      gateway.fetch = status.fetch === true;
      gateway.head = status.head;
      if (gateway.replacedBy === undefined || gateway.saidAt < 0) gateway.saidAt = status.at;
      else if (status.at > gateway.saidAt) gateway.speaks = true;
      for (const old of status.replaces ?? []) if (old !== name) this.#replace(site, old, name);
    }
    return gateway;
  }

  #replace(site: string, old: string, name: string): void {
    const key = `${site}/${old}`;
    if (!this.#replaced.has(key) && this.#replaced.size >= MAX_GATEWAYS) return;
    this.#replaced.set(key, name);
    const gateway = this.#known.get(key);
    if (gateway !== undefined) gateway.replacedBy ??= name;
  }
}
