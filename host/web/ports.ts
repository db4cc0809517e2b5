/**
 * How HTTP and WebSockets reach the gateway. `host/node/http.ts` is the listener of a real machine; what is served
 * (the page, the metrics) is an `HttpHandler` and knows no socket.
 */

/** A request without a body: nothing here takes one, and the listener refuses those that bring one. */
export interface HttpRequest {
  /** `GET`, `HEAD`, … as the client wrote it. */
  readonly method: string;
  /** What stands before the `?` of the target, as the client wrote it: not decoded, not normalised. */
  readonly path: string;
  /** `Host`, in lower case; empty when the client sent none. */
  readonly host: string;
  /** Address of the peer. */
  readonly peer: string;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Beside `Content-Length`, which is set by the listener. */
  readonly headers: Readonly<Record<string, string>>;
  /** Not sent in answer to `HEAD`. */
  readonly body: string | Uint8Array;
}

export interface HttpHandler {
  /** A rejection is answered by 500 without a reason, which goes to the log. */
  request(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  /** Asked for every WebSocket: a response that refuses it, or who takes it. Absent: there are none. */
  upgrade?(request: HttpRequest): HttpResponse | ((socket: MessageSocket) => MessageHandler);
}

/** One WebSocket, which carries texts. Binary messages end it. */
export interface MessageSocket {
  /** Bytes that the peer has not taken yet. */
  readonly pendingBytes: number;
  /** Queues a text. A peer that leaves too much unread is closed. */
  send(text: string): void;
  /** Says goodbye with a code of RFC 6455, section 7.4, and ends the connection. `closed` is not called. */
  close(code: number, reason: string): void;
}

export interface MessageHandler {
  message(text: string): void;
  /** The socket is gone, or the listener stops. */
  closed(reason: string): void;
}

/** A listener: `HttpListener` of `host/node/http.ts`. */
export interface HttpSource {
  /** What is listened on; 0 before `start`. */
  readonly port: number;
  /** Rejects with a Fault when it can't begin: `port-taken`, `port-forbidden`, `address-unknown`, `tls-invalid`. */
  start(handler: HttpHandler): Promise<void>;
  /** Ends all connections. */
  stop(): Promise<void>;
}
