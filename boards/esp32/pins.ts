/// <reference path="../../firmware/sensors/drivers.d.ts" />
/** ESP32 DevKitC and its like: what is wired to which pin. README.md has the table. */
import SMBus from 'embedded:io/smbus';
import SHT3x from 'embedded:sensor/Humidity-Temperature/SHT3x';
import type { BoardPins } from '../../firmware/board.js';
import { MachineState, sht3x } from '../../firmware/sensors/index.js';
import { uartCable } from '../uart.js';
import { network } from '../wifi.js';
import { contact, flashRegion, isHeld, lampOn } from '../wiring.js';

const LAMP = 2;
/** Not the BOOT button: held at power-on, that one keeps the program from starting. */
const BUTTON = 4;
const I2C_DATA = 21;
const I2C_CLOCK = 22;
const MACHINE = 27;
/** The USB bridge of the board is on this UART. */
const UART = { port: 0, receive: 3, transmit: 1, baud: 115200 };

/** 140 sectors hold 512 KB of envelopes. partitions.csv has room. */
const BACKLOG_SECTORS = 140;

export const board: BoardPins = {
  name: 'esp32',
  cable: uartCable(UART),
  network,
  flash: () => flashRegion(BACKLOG_SECTORS),
  backlogSectors: BACKLOG_SECTORS,
  backlogBytes: 16_384,
  buttonHeld: () => isHeld(BUTTON),
  lamp: () => lampOn(LAMP),
  sources: ({ uptime, wake }) => [
    sht3x(SHT3x, { io: SMBus, data: I2C_DATA, clock: I2C_CLOCK }, { name: 'room', periodMs: 10_000 }),
    new MachineState({ name: 'machine', uptime, wake, activeLow: true, open: contact(MACHINE) }),
  ],
};
