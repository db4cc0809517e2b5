/** The topics, version 1. Site and gateway are single levels without wildcards: the configuration sees to it. */
const ROOT = 'sovereign/1';

/** The sealed bytes of one device's readings. */
export function sealedTopic(site: string, device: string): string {
  return `${ROOT}/${site}/${device}/sealed`;
}

/** Many readings at once, of any of the site's devices: a CBOR sequence (RFC 8742) of what the sealed topics carry. */
export function batchTopic(site: string, gateway: string): string {
  return `${ROOT}/${site}/batch/${gateway}`;
}

/** The same readings as SenML JSON, which proves nothing. */
export function readingTopic(site: string, device: string): string {
  return `${ROOT}/${site}/${device}/reading`;
}

/** The topic of readings that newer ones have overtaken, where MQTT has no user properties to say so (3.1.1). */
export function historicalTopic(topic: string): string {
  return `${topic}/historical`;
}

/** Retained: whether a gateway is there, and how far its journal is drained. */
export function statusTopic(site: string, gateway: string): string {
  return `${ROOT}/${site}/gateway/${gateway}/status`;
}

/** Where a gateway is asked for readings that somebody misses; see fetch/format.ts. */
export function fetchTopic(site: string, gateway: string): string {
  return `${ROOT}/${site}/gateway/${gateway}/fetch`;
}

/** What became of that. */
export function fetchedTopic(site: string, gateway: string): string {
  return `${ROOT}/${site}/gateway/${gateway}/fetched`;
}

/** What a subscriber of everything subscribes to. */
/** With `/historical` below it, if there is. */
export const SEALED_FILTER = `${ROOT}/+/+/sealed/#`;
export const BATCH_FILTER = `${ROOT}/+/batch/+`;
export const STATUS_FILTER = `${ROOT}/+/gateway/+/status`;
export const FETCHED_FILTER = `${ROOT}/+/gateway/+/fetched`;

export type ParsedTopic =
  | { readonly kind: 'sealed'; readonly site: string; readonly device: string }
  | { readonly kind: 'batch' | 'status' | 'fetched'; readonly site: string; readonly gateway: string }
  | undefined;

export function parseTopic(topic: string): ParsedTopic {
  const levels = topic.split('/');
  if (levels[0] !== 'sovereign' || levels[1] !== '1') return undefined;
  if (levels.length === 5 && levels[3] === 'batch')
    return { kind: 'batch', site: levels[2], gateway: levels[4] };
  if (
    levels[4] === 'sealed' &&
    (levels.length === 5 || (levels.length === 6 && levels[5] === 'historical'))
  ) {
    return { kind: 'sealed', site: levels[2], device: levels[3] };
  }
  const kind = levels[5];
  if (levels.length === 6 && levels[3] === 'gateway' && (kind === 'status' || kind === 'fetched')) {
    return { kind, site: levels[2], gateway: levels[4] };
  }
  return undefined;
}

export const SEALED_CONTENT_TYPE = 'application/cose; cose-type="cose-mac0"';
export const BATCH_CONTENT_TYPE = 'application/cbor-seq';
/** A wrapped sovereign-sdk frame is CBOR and no COSE. */
export const SDK_CONTENT_TYPE = 'application/cbor';
export const SENML_CONTENT_TYPE = 'application/senml+json';
export const STATUS_CONTENT_TYPE = 'application/json';
export const FETCHED_CONTENT_TYPE = 'application/json';
