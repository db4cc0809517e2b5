import { compare, type Place } from '../../uplink/fetch/format.js';

interface Span {
  readonly from: Place;
  readonly to: Place;
}

const MAX_SPANS = 64;

/** Stretches of a device's readings, joined where they touch. Of too many, the lowest are forgotten. */
export class Spans {
  #spans: readonly Span[] = [];

  add(from: Place, to: Place): void {
    let joined: Span = { from, to };
    const others: Span[] = [];
    for (const span of this.#spans) {
      if (compare(span.to, joined.from) < 0 || compare(span.from, joined.to) > 0) others.push(span);
      else {
        joined = {
          from: compare(span.from, joined.from) < 0 ? span.from : joined.from,
          to: compare(span.to, joined.to) > 0 ? span.to : joined.to,
        };
      }
    }
    this.#spans = [...others, joined].sort((a, b) => compare(a.from, b.from)).slice(-MAX_SPANS);
  }

  covers(from: Place, to: Place): boolean {
    return this.#spans.some(span => compare(span.from, from) <= 0 && compare(span.to, to) >= 0);
  }
}
