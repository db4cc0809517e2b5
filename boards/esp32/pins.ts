/// <reference path="../../firmware/sensors/drivers.d.ts" />
/** ESP32 DevKitC and its like: what is wired to which pin. README.md has the table. */
import Digital from 'embedded:io/digital';
import Serial from 'embedded:io/serial';
import SMBus from 'embedded:io/smbus';
import SHT3x from 'embedded:sensor/Humidity-Temperature/SHT3x';
import * as flash from 'native/flash';
import type { BoardPins } from '../../firmware/board.js';
import { SerialLink } from '../../firmware/links/serial.js';
import { MachineState, sht3x } from '../../firmware/sensors/index.js';
import { network } from '../wifi.js';

const LAMP = 2;
/** Not the BOOT button: held at power-on, that one keeps the program from starting. */
const BUTTON = 4;
const I2C_DATA = 21;
const I2C_CLOCK = 22;
const MACHINE = 27;
/** The USB bridge of the board is on this UART. */
const UART = { port: 0, receive: 3, transmit: 1, baud: 115200 };

/** 140 sectors hold 512 KB of envelopes; keys, settings and one to spare come before. partitions.csv has room. */
const BACKLOG_SECTORS = 140;
const SECTORS = 6 + BACKLOG_SECTORS;

export const board: BoardPins = {
  name: 'esp32',
  cable: (ports, events) =>
    new SerialLink(
      on => {
        const serial = new Serial({ ...UART, format: 'buffer', ...on });
        return {
          read: target => serial.read(target),
          write: bytes => serial.write(bytes),
          close: () => serial.close(),
        };
      },
      ports,
      events,
    ),
  network,
  flash: () => {
    flash.open(SECTORS);
    const { read, erase, program } = flash;
    return { sectors: SECTORS, sectorBytes: 4096, programBytes: 256, read, erase, program };
  },
  backlogSectors: BACKLOG_SECTORS,
  backlogBytes: 16_384,
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
