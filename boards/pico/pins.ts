/// <reference path="../../firmware/sensors/drivers.d.ts" />
/** Raspberry Pi Pico: what is wired to which pin. README.md has the table. */
import SMBus from 'embedded:io/smbus';
import SHT3x from 'embedded:sensor/Humidity-Temperature/SHT3x';
import * as usb from 'native/usb';
import type { BoardPins } from '../../firmware/board.js';
import { UsbLink } from '../../firmware/links/usb.js';
import { MachineState, sht3x } from '../../firmware/sensors/index.js';
import { contact, flashRegion, isHeld, lampOn } from '../wiring.js';

const LAMP = 25;
const BUTTON = 22;
const I2C_DATA = 4;
const I2C_CLOCK = 5;
const MACHINE = 15;

/** 71 sectors hold 256 KB of envelopes. */
const BACKLOG_SECTORS = 71;

export const board: BoardPins = {
  name: 'pico',
  cable: (_, events) => new UsbLink(usb, events),
  flash: () => flashRegion(BACKLOG_SECTORS),
  backlogSectors: BACKLOG_SECTORS,
  backlogBytes: 8192,
  buttonHeld: () => isHeld(BUTTON),
  lamp: () => lampOn(LAMP),
  sources: ({ uptime, wake }) => [
    sht3x(SHT3x, { io: SMBus, data: I2C_DATA, clock: I2C_CLOCK }, { name: 'room', periodMs: 10_000 }),
    new MachineState({ name: 'machine', uptime, wake, activeLow: true, open: contact(MACHINE) }),
  ],
};
