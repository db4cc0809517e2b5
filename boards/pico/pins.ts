/// <reference path="../../firmware/sensors/drivers.d.ts" />
/** Raspberry Pi Pico: what is wired to which pin. README.md has the table. */
import Digital from 'embedded:io/digital';
import SMBus from 'embedded:io/smbus';
import SHT3x from 'embedded:sensor/Humidity-Temperature/SHT3x';
import * as flash from 'native/flash';
import * as usb from 'native/usb';
import type { BoardPins } from '../../firmware/board.js';
import { UsbLink } from '../../firmware/links/usb.js';
import { MachineState, sht3x } from '../../firmware/sensors/index.js';

const LAMP = 25;
const BUTTON = 22;
const I2C_DATA = 4;
const I2C_CLOCK = 5;
const MACHINE = 15;

/** 71 sectors hold 256 KB of envelopes; keys, settings and one to spare come before. */
const BACKLOG_SECTORS = 71;
const SECTORS = 6 + BACKLOG_SECTORS;

export const board: BoardPins = {
  name: 'pico',
  cable: (_, events) => new UsbLink(usb, events),
  flash: () => {
    flash.open(SECTORS);
    const { read, erase, program } = flash;
    return { sectors: SECTORS, sectorBytes: 4096, programBytes: 256, read, erase, program };
  },
  backlogSectors: BACKLOG_SECTORS,
  backlogBytes: 8192,
  buttonHeld: () => {
    const pin = new Digital({ pin: BUTTON, mode: Digital.InputPullUp });
    const held = pin.read() === 0;
    pin.close();
    return held;
  },
  lamp: () => {
    const pin = new Digital({ pin: LAMP, mode: Digital.Output });
    return on => pin.write(on ? 1 : 0);
  },
  sources: ({ uptime, wake }) => [
    sht3x(SHT3x, { io: SMBus, data: I2C_DATA, clock: I2C_CLOCK }, { name: 'room', periodMs: 10_000 }),
    new MachineState({
      name: 'machine',
      uptime,
      wake,
      activeLow: true,
      open: onReadable =>
        new Digital({
          pin: MACHINE,
          mode: Digital.InputPullUp,
          edge: Digital.Rising | Digital.Falling,
          onReadable,
        }),
    }),
  ],
};
