/** What a board under boards/ says of itself, in its `pins.ts`. */
import type { DeviceLink, LinkEvents } from './links/link.js';
import type { Flash, Random, Rtc, Uptime } from './ports.js';
import type { BoardSettings } from './seal/index.js';
import type { Source } from './sensors/source.js';

/** What a board gives its links and sources. */
export interface BoardPorts {
  readonly uptime: Uptime;
  readonly random: Random;
  /** Something has happened, such as an edge: the device is polled soon. */
  readonly wake: () => void;
}

export interface BoardPins {
  /** The folder under boards/. */
  readonly name: string;
  /** USB or UART: the board is provisioned over it, and it leads to the gateway unless the network does. */
  readonly cable: (ports: BoardPorts, events: LinkEvents) => DeviceLink;
  /**
   * Starts Wi-Fi and makes the link that the settings ask for; undefined when they ask for none. On a board
   * without Wi-Fi this is absent. @param id 16 hex digits
   */
  readonly network?: (
    settings: BoardSettings,
    id: string,
    ports: BoardPorts,
    events: LinkEvents,
  ) => DeviceLink | undefined;
  /** Opens the flash region. Called once; throws when it is not there. */
  readonly flash: () => Flash;
  /** What the backlog takes of the flash behind the other stores, and of memory. */
  readonly backlogSectors: number;
  readonly backlogBytes: number;
  /** Opens the pin of the button and says whether it is held. Called once, at start. */
  readonly buttonHeld: () => boolean;
  /** Opens the pin of the lamp. Called once; the function that it returns is called at each change. */
  readonly lamp: () => (on: boolean) => void;
  /** A clock chip, if one is wired. Called once; opens nothing yet. */
  readonly rtc?: () => Rtc;
  /** The sensors that are wired. Opens nothing yet: a source opens its sensor when it is first polled. */
  readonly sources: (ports: BoardPorts) => Source[];
}
