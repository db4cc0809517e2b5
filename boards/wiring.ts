/** What boards have in common: the flash region of the stores, and pins for a button, a lamp and a contact. */
import Digital from 'embedded:io/digital';
import * as flash from 'native/flash';
import type { Flash } from '../firmware/ports.js';

/** Keys, settings and one to spare come before the backlog. */
const SECTORS_BEFORE_BACKLOG = 6;

/** Opens the region that the build keeps for the stores. Throws when it is not there. */
export function flashRegion(backlogSectors: number): Flash {
  const sectors = SECTORS_BEFORE_BACKLOG + backlogSectors;
  flash.open(sectors);
  const { read, erase, program } = flash;
  return { sectors, sectorBytes: 4096, programBytes: 256, read, erase, program };
}

/** A button between the pin and ground: whether it is held now. */
export function isHeld(pin: number): boolean {
  const input = new Digital({ pin, mode: Digital.InputPullUp });
  const held = input.read() === 0;
  input.close();
  return held;
}

/** A lamp that is lit while the pin is high. */
export function lampOn(pin: number): (on: boolean) => void {
  const output = new Digital({ pin, mode: Digital.Output });
  return on => output.write(on ? 1 : 0);
}

/** A contact between the pin and ground: opens it, and tells of both its edges. */
export function contact(pin: number): (onReadable: () => void) => Digital {
  return onReadable =>
    new Digital({ pin, mode: Digital.InputPullUp, edge: Digital.Rising | Digital.Falling, onReadable });
}
