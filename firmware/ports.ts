/**
 * Every effect of a device comes in through these interfaces, so that the same code runs on a board, in
 * `sovereign simulate` and in the tests. Each call returns at once; none throws for what the world does:
 * what can fail says so in its result.
 */

/** Time since boot. */
export interface Uptime {
  /** Milliseconds since boot, whole; never runs backwards. */
  nowMs(): number;
}

/** Cryptographically secure bytes; never `Math.random`. */
export interface Random {
  fill(target: Uint8Array): void;
}

/** The way to the gateway: a UART, a socket, a topic. It is told to the device by `linkUp` and `linkDown`. */
export interface Wire {
  /**
   * Takes buffer[from, to) whole, or refuses it whole.
   * @returns false when there is no room now; the device tries again later
   */
  send(buffer: Uint8Array, from: number, to: number): boolean;
}

/**
 * Raw NOR flash, cut into erase sectors. Erasing sets every byte of a sector to FF; programming only
 * clears bits. A power cut may stop either at any point and leave anything in the sector it was at work on.
 */
export interface Flash {
  readonly sectors: number;
  readonly sectorBytes: number;
  /** What is programmed at once: offsets and lengths are multiples of it (256 on RP2040). */
  readonly programBytes: number;
  /** Fills the whole of `target` from `offset` in `sector`. */
  read(sector: number, offset: number, target: Uint8Array): void;
  /** @returns false when the flash reports a failure */
  erase(sector: number): boolean;
  /** @returns false when the flash reports a failure; what it then holds is unknown */
  program(sector: number, offset: number, source: Uint8Array): boolean;
}

/** What the board knows of itself. */
export interface Board {
  /** Bytes of memory that the app may still take; -1 when nobody knows. */
  freeMemoryBytes(): number;
}

/** Restarts the board when it has not been fed for some seconds. */
export interface Watchdog {
  feed(): void;
}

/** A clock that goes on without power. */
export interface Rtc {
  /** Unix time in ms; -1 when it is not there, does not answer, or has lost its power. */
  read(): number;
  set(unixMs: number): void;
}

/** A few bytes that outlive a restart: memory that the reset leaves alone, or flash. */
export interface RestartMemory {
  /** Fills the whole of `target`. @returns false when there is nothing, or nothing readable */
  read(target: Uint8Array): boolean;
  /** @returns false when that failed */
  write(source: Uint8Array): boolean;
}

/** Told of each envelope's fate. The buffer is reused after the call returns. */
export interface Observer {
  /** Sealed and retained. */
  sealed(epoch: number, seq: number, kind: number, buffer: Uint8Array, from: number, to: number): void;
  /** Freed on an authentic receipt: the gateway has it on disk. */
  receipted(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): void;
  /** Given up: the backlog was full, or the gateway refused it. Counted and named in a sealed loss. */
  lost(epoch: number, seq: number): void;
}
