/** What gateways have been asked and have not answered yet: one open question a gateway, and late answers to earlier ones. */
import type { FetchRange } from '../../uplink/fetch/format.js';
import type { Gateway } from './gateways.js';

export interface Question {
  readonly gateway: Gateway;
  /** Not answered yet, by `rangeKey`. */
  readonly ranges: Map<string, FetchRange>;
  /** Waited for until then, in monotonic ms; 0: it could not be asked. */
  until: number;
  /** How often the gateway had been heard when it was asked, and where its journal ended. */
  readonly heard: number;
  readonly head: number;
}

/** Questions whose late answers are still heard. */
const MAX_QUESTIONS = 64;

export class Questions {
  /** By id, the last ones. */
  readonly #questions = new Map<string, Question>();
  /** By gateway: the id of the question that is open. */
  readonly #open = new Map<string, string>();

  get(id: string): Question | undefined {
    return this.#questions.get(id);
  }

  openOf(gateway: Gateway): Question | undefined {
    return this.#questions.get(this.#open.get(gateway.key) ?? '');
  }

  add(id: string, question: Question): void {
    this.#questions.set(id, question);
    this.#open.set(question.gateway.key, id);
    for (const oldest of this.#questions.keys()) {
      if (this.#questions.size <= MAX_QUESTIONS) break;
      this.#questions.delete(oldest);
    }
  }

  /** Everything of it is answered. */
  done(id: string): void {
    const key = this.#questions.get(id)?.gateway.key ?? '';
    this.#questions.delete(id);
    if (this.#open.get(key) === id) this.#open.delete(key);
  }

  /** The open question of a gateway is waited for no more. */
  drop(gateway: Gateway): void {
    this.#open.delete(gateway.key);
  }

  dropAll(): void {
    this.#open.clear();
  }
}

/** A range as its question and the answer to it name it. */
export function rangeKey({ device, from, to }: FetchRange): string {
  return `${device} ${from.join('/')} ${to?.join('/') ?? ''}`;
}
