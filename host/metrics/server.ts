/** `/metrics` over HTTP. */
import type { NodeStatus } from '../control/status.js';
import type { Clock, Log } from '../ports.js';
import { PatientSource } from '../web/patient-source.js';
import type { HttpRequest, HttpResponse, HttpSource } from '../web/ports.js';
import type { Family } from './family.js';
import { families, METRICS_CONTENT_TYPE, metricsText } from './text.js';

export interface MetricsPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** `host/node/http.ts` on a real machine. */
  readonly source: HttpSource;
}

const PATH = '/metrics';
/** Whoever asks more often gets what was said before: a scrape is made of the state of every device. */
const FRESH_MS = 1000;

export class MetricsServer {
  readonly #clock: Clock;
  readonly #source: HttpSource;
  readonly #families: readonly Family[];
  readonly #status: () => Promise<NodeStatus>;
  /** One for all who ask meanwhile; as bytes, so that many who read slowly hold no copies of it. */
  #said: { madeMs: number; readonly bytes: Promise<Uint8Array> } | undefined;

  /** @param maxDevices how many are told one by one */
  constructor(ports: MetricsPorts, maxDevices: number, status: () => Promise<NodeStatus>) {
    this.#clock = ports.clock;
    this.#source = new PatientSource(ports.source, ports, 'metrics-unavailable');
    this.#families = families(maxDevices);
    this.#status = status;
  }

  /** Resolves after the first attempt. */
  start(): Promise<void> {
    return this.#source.start({ request: request => this.#answer(request) });
  }

  stop(): Promise<void> {
    return this.#source.stop();
  }

  async #answer({ method, path }: HttpRequest): Promise<HttpResponse> {
    if (path !== PATH) return plain(404, `metrics stand at ${PATH}`);
    if (method !== 'GET' && method !== 'HEAD')
      return plain(405, 'expected GET or HEAD', { Allow: 'GET, HEAD' });
    return { status: 200, headers: headers(METRICS_CONTENT_TYPE), body: await this.#bytes() };
  }

  #bytes(): Promise<Uint8Array> {
    const clock = this.#clock;
    if (this.#said !== undefined && clock.monotonic() - this.#said.madeMs < FRESH_MS) return this.#said.bytes;
    // Until it is there it is the newest, however long that takes: no second one is begun beside it.
    const said = { madeMs: Number.POSITIVE_INFINITY, bytes: this.#make() };
    this.#said = said;
    said.bytes.then(
      () => {
        said.madeMs = clock.monotonic();
      },
      // A failure is told to whom it concerns, and to nobody after.
      () => {
        this.#said = undefined;
      },
    );
    return said.bytes;
  }

  async #make(): Promise<Uint8Array> {
    const clock = this.#clock;
    const breathe = () => new Promise<void>(resolve => clock.after(0, resolve));
    return Buffer.from(await metricsText(this.#families, await this.#status(), breathe));
  }
}

const headers = (type: string) => ({
  'Content-Type': type,
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
});

const plain = (status: number, text: string, more: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers: { ...headers('text/plain; charset=utf-8'), ...more },
  body: `${text}\n`,
});
