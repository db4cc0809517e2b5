/**
 * When a gap is final. A reading may still be on its way as long as a gateway has not said that everything in its
 * journal was published. So for each gap and each gateway of the site: the first status after the gap was noticed
 * tells the journal's head; once a later status says that the cursor has passed it, nothing of that gateway can
 * fill the gap any more (brokers keep the order of one client's messages). A gateway that is offline may hold what is
 * missing: the gap waits for it.
 */
import type { GatewayStatus, OfflineStatus } from '../uplink/status.js';
import type { Gap } from './history.js';

/** Gateways that are remembered; more are those of somebody who floods the status topic. */
const MAX_GATEWAYS = 256;

interface Watched {
  readonly gap: Gap;
  /** Where its device was heard last; undefined: not since the start. */
  readonly site: string | undefined;
  /** Of each gateway, by key: the head to be passed, or that it was. */
  readonly heads: Map<string, number | 'passed'>;
}

export class Settling {
  /** Site of each gateway, by key. */
  readonly #gateways = new Map<string, string>();
  /** By device. */
  readonly #watched = new Map<string, Watched[]>();

  /**
   * Follows a status.
   * @returns gaps that are final now; they are not watched any more
   */
  status(status: GatewayStatus | OfflineStatus): Gap[] {
    const { site, gateway } = status;
    const key = `${site}/${gateway}`;
    if (!this.#gateways.has(key) && this.#gateways.size >= MAX_GATEWAYS) return [];
    this.#gateways.set(key, site);
    if (status.state === 'offline') return [];
    const final: Gap[] = [];
    for (const [device, list] of this.#watched) {
      const left = list.filter(watched => {
        if (!this.#passes(watched, key, status)) return true;
        final.push(watched.gap);
        return false;
      });
      if (left.length === 0) this.#watched.delete(device);
      else if (left.length < list.length) this.#watched.set(device, left);
    }
    return final;
  }

  /**
   * Watches exactly these gaps of a device; those that were watched keep what is known of them.
   * @param site where the device was heard last; undefined when it was not since the start
   */
  keep(device: string, gaps: readonly Gap[], site: string | undefined): void {
    const before = this.#watched.get(device) ?? [];
    this.#watched.delete(device);
    if (gaps.length === 0) return;
    const now = gaps.map(gap => {
      // A part of a gap has waited as long as the whole.
      const whole = before.find(watched => contains(watched.gap, gap));
      return { gap, site: whole?.site ?? site, heads: new Map(whole?.heads) };
    });
    this.#watched.set(device, now);
  }

  #passes(watched: Watched, key: string, status: GatewayStatus): boolean {
    if (watched.site !== undefined && watched.site !== status.site) return false;
    const head = watched.heads.get(key);
    if (head === undefined) watched.heads.set(key, status.head);
    else if (head !== 'passed' && (status.drained || status.cursor >= head)) watched.heads.set(key, 'passed');
    return this.#settled(watched);
  }

  #settled({ site, heads }: Watched): boolean {
    for (const [key, itsSite] of this.#gateways) {
      if ((site === undefined || site === itsSite) && heads.get(key) !== 'passed') return false;
    }
    return true;
  }
}

function contains(whole: Gap, part: Gap): boolean {
  if (whole.device !== part.device) return false;
  const begins =
    part.fromEpoch > whole.fromEpoch || (part.fromEpoch === whole.fromEpoch && part.fromSeq >= whole.fromSeq);
  const ends = part.toEpoch < whole.toEpoch || (part.toEpoch === whole.toEpoch && part.toSeq <= whole.toSeq);
  return begins && ends;
}
