import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Hello } from '../../../host/web/messages.js';

interface Answer {
  readonly ask: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** The page's end of its WebSocket, as a program. */
export class PageSocket {
  readonly socket: WebSocket;
  hello!: Hello;
  /** What streams have told, by the number of their request. */
  readonly told = new Map<number, Record<string, unknown>[]>();
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #waiting = new Set<() => void>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', data => {
      const message = JSON.parse(data.toString());
      if ('hello' in message) this.hello = message.hello;
      else if ('ok' in message) this.#answers.get(message.ask)?.(message);
      else this.told.set(message.ask, [...(this.told.get(message.ask) ?? []), message]);
      for (const look of this.#waiting) look();
    });
  }

  /** @param origin what the browser would say that asks; default: the page itself */
  static async open(url: string, origin = new URL(url).origin, host?: string): Promise<PageSocket> {
    const headers = { Origin: origin, ...(host !== undefined && { Host: host }) };
    const page = new PageSocket(new WebSocket(new URL('socket', url.replace(/^http/, 'ws')), { headers }));
    page.socket.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      page.socket.on('unexpected-response', (_, response) => reject(new Error(`${response.statusCode}`)));
      page.socket.on('close', code => reject(new Error(`closed ${code}`)));
      page.until(() => page.hello !== undefined).then(resolve, reject);
    });
    return page;
  }

  ask(call: string, args: object = {}): Promise<Answer> {
    const ask = this.#next++;
    this.socket.send(JSON.stringify({ ask, call, ...args }));
    return new Promise(resolve => this.#answers.set(ask, resolve));
  }

  /** The number of the last request. */
  get last(): number {
    return this.#next - 1;
  }

  async until(holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('waited in vain')), 20_000);
      const look = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  /** The code with which the other side closes. */
  async closed(): Promise<number> {
    const [code] = await once(this.socket, 'close');
    return code;
  }

  end(): void {
    this.socket.terminate();
  }
}
