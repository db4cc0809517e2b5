/** What a board under boards/ says of itself, in its `pins.ts`. */
import type { Flash, Uptime, Wire } from './ports.js';
import type { Source } from './sensors/source.js';

/** A byte stream over a cable: USB or UART. On it a board is provisioned, and the gateway may be at its other end. */
export interface Cable extends Wire {
  /** 0 while nobody is at the other end, otherwise a number that changes with whoever comes. A UART can't tell: 1. */
  opened(): number;
  /** Takes what has come, up to the length of `target`. @returns bytes taken; 0: none */
  read(target: Uint8Array): number;
}

/** What a board gives its sources. */
export interface SourcePorts {
  readonly uptime: Uptime;
  /** An edge has come: the device is polled soon. */
  readonly wake: () => void;
}

export interface BoardPins {
  /** The folder under boards/. */
  readonly name: string;
  /** Opens the cables; the first is called USB by people, whatever it is. Called once. */
  readonly cables: () => readonly Cable[];
  /** Opens the flash region. Called once; throws when it is not there. */
  readonly flash: () => Flash;
  /** What the backlog takes of the flash behind the other stores, and of memory. */
  readonly backlogSectors: number;
  readonly backlogBytes: number;
  /** Opens the pin of the button and says whether it is held. Called once, at start. */
  readonly buttonHeld: () => boolean;
  /** Opens the pin of the lamp. Called once; the function that it returns is called at each change. */
  readonly lamp: () => (on: boolean) => void;
  /** The sensors that are wired. Opens nothing yet: a source opens its sensor when it is first polled. */
  readonly sources: (ports: SourcePorts) => Source[];
}
