/** The virtual board as `firmware/main.ts` wants a board, over hardware that a test holds in its hands. */
import type { BoardPins, BoardPorts } from '../../firmware/board.js';
import { UsbLink } from '../../firmware/links/usb.js';
import type { Flash } from '../../firmware/ports.js';
import type { Source } from '../../firmware/sensors/source.js';
import type { VirtualChip } from './chip.js';
import { PowerCut, type VirtualFlash } from './flash.js';
import type { VirtualUsb } from './usb.js';

/** What comes before the backlog: keys, settings and one to spare. */
const FIRST_SECTORS = 6;

export interface Hardware {
  readonly chip: VirtualChip;
  readonly usb: VirtualUsb;
  /** At least ten sectors. */
  readonly flash: VirtualFlash;
  /** The button is held when the board starts. */
  button: boolean;
  /** The lamp is lit. */
  lit: boolean;
  sources: (ports: BoardPorts) => Source[];
}

export function virtualPins(hardware: Hardware): BoardPins {
  const { chip, usb, flash } = hardware;
  return {
    name: 'virtual',
    cable: (_, events) => new UsbLink(usb, events),
    flash: () => powered(chip, flash),
    backlogSectors: flash.sectors - FIRST_SECTORS,
    backlogBytes: 8192,
    buttonHeld: () => hardware.button,
    lamp: () => on => {
      hardware.lit = on;
    },
    sources: ports => hardware.sources(ports),
  };
}

/** The flash, whose power is the chip's: without it neither goes on. */
function powered(chip: VirtualChip, flash: VirtualFlash): Flash {
  const run = <T>(operate: () => T): T => {
    chip.check();
    try {
      return operate();
    } catch (error) {
      if (error instanceof PowerCut) chip.end('power');
      throw error;
    }
  };
  const { sectors, sectorBytes, programBytes } = flash;
  return {
    sectors,
    sectorBytes,
    programBytes,
    read: (sector, offset, target) => run(() => flash.read(sector, offset, target)),
    erase: sector => run(() => flash.erase(sector)),
    program: (sector, offset, source) => run(() => flash.program(sector, offset, source)),
  };
}
