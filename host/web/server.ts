/** The page of the gateway: its files, and what it shows and does over a WebSocket. */
import type { Digest } from '../../firmware/seal/index.js';
import type { ControlHandlers } from '../control/calls.js';
import type { Clock, Log } from '../ports.js';
import { type AssetFiles, Assets, refusal } from './assets.js';
import { FleetFeed } from './fleet.js';
import { Guard, strangeName, TokenCheck } from './guard.js';
import type { Hello } from './messages.js';
import { PatientSource } from './patient-source.js';
import type { HttpHandler, HttpRequest, HttpResponse, HttpSource, MessageSocket } from './ports.js';
import { SparseWarning } from './sparse-warning.js';
import { Viewer, type ViewerPorts } from './viewer.js';

export interface WebPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly digest: Digest;
  readonly source: HttpSource;
  readonly files: AssetFiles;
}

export interface WebOptions {
  /** For what changes something, and for looking too where `guarded`. */
  readonly token?: string;
  /** Nothing is shown without the token. */
  readonly guarded: boolean;
  /** Names of this machine, beside its addresses. */
  readonly names: readonly string[];
}

const NAMES = 'web.names';
const SOCKET_PATH = '/socket';
/**
 * Pages that have not given the token yet where it is needed to see anything. One more takes the place of the one that has
 * waited longest: whoever fills these places keeps nobody out who has the token.
 */
const MAX_LOCKED = 8;

export class WebServer {
  readonly #source: HttpSource;
  readonly #handler: HttpHandler;

  constructor(
    ports: WebPorts,
    options: WebOptions,
    facts: Pick<Hello, 'version' | 'site' | 'gateway'>,
    handlers: ControlHandlers,
  ) {
    const { clock, log, digest } = ports;
    const { token, guarded, names } = options;
    this.#source = new PatientSource(ports.source, ports, 'page-unavailable');
    this.#handler = new Pages(new Guard(names), new Assets(digest, ports.files), {
      clock,
      log,
      handlers,
      fleet: new FleetFeed({ clock, log }, handlers),
      ...(token !== undefined && { token: new TokenCheck(digest, token) }),
      wrongToken: new SparseWarning({ clock, log }, 'web-token-wrong'),
      hello: { ...facts, open: guarded ? 'nothing' : 'read', token: token !== undefined },
    });
  }

  /** Resolves after the first attempt. */
  start(): Promise<void> {
    return this.#source.start(this.#handler);
  }

  stop(): Promise<void> {
    return this.#source.stop();
  }
}

class Pages implements HttpHandler {
  readonly #guard: Guard;
  readonly #assets: Assets;
  readonly #ports: ViewerPorts;
  readonly #viewers = new Set<Viewer>();
  readonly #foreign: SparseWarning;

  constructor(guard: Guard, assets: Assets, ports: ViewerPorts) {
    this.#guard = guard;
    this.#assets = assets;
    this.#ports = ports;
    this.#foreign = new SparseWarning(ports, 'web-origin-refused');
  }

  request(request: HttpRequest): HttpResponse {
    return this.#guard.isOurs(request) ? this.#assets.answer(request) : strangeName(request, NAMES);
  }

  upgrade(request: HttpRequest): HttpResponse | ((socket: MessageSocket) => Viewer) {
    if (request.path !== SOCKET_PATH) return refusal(404, `the WebSocket is at ${SOCKET_PATH}`);
    if (!this.#guard.isOurs(request)) return strangeName(request, NAMES);
    if (!this.#guard.isOurPage(request)) {
      const origin = (request.header('origin') ?? '').slice(0, 200);
      this.#foreign.tell({ peer: request.peer, origin });
      return refusal(403, 'only the page of this gateway may open this; programs use its control socket');
    }
    return socket => {
      const locked = [...this.#viewers].filter(viewer => viewer.locked);
      if (locked.length >= MAX_LOCKED) locked[0].giveWay();
      const viewer = new Viewer(this.#ports, socket, request.peer, ended => this.#viewers.delete(ended));
      this.#viewers.add(viewer);
      return viewer;
    };
  }
}
