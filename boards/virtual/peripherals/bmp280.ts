import type { I2cBus, I2cDevice } from './i2c-bus.js';

const CALIBRATION = 0x88;
const CHIP_ID = 0xd0;
const RESET = 0xe0;
const CONTROL = 0xf4;
const DATA = 0xf7;
/** What the data registers hold before the first conversion. */
const NOTHING = 0x80000;
/** The calibration of the datasheet's example: T1 to T3, P1 to P9. */
const EXAMPLE = [27_504, 26_435, -1_000, 36_477, -10_685, 3_024, 2_855, 140, -7, 15_500, -14_600, 6_000];

/** The formulas of the datasheet (section 8.1, in floating point): Celsius and Pa of two codes of 20 bits. */
export function compensate(k: readonly number[], t: number, p: number): { celsius: number; pascal: number } {
  const v1 = (t / 16_384 - k[0] / 1_024) * k[1];
  const v2 = (t / 131_072 - k[0] / 8_192) ** 2 * k[2];
  const fine = v1 + v2;
  let a = fine / 2 - 64_000;
  let b = (a * a * k[8]) / 32_768 + a * k[7] * 2;
  b = b / 4 + k[6] * 65_536;
  a = (1 + ((k[5] * a * a) / 524_288 + k[4] * a) / 524_288 / 32_768) * k[3];
  let pascal = ((1_048_576 - p - b / 4_096) * 6_250) / a;
  pascal += ((k[11] * pascal * pascal) / 2_147_483_648 + (pascal * k[10]) / 32_768 + k[9]) / 16;
  return { celsius: fine / 5_120, pascal };
}

/** The registers of a BMP280: bytes after a pointer that moves on. */
export class Bmp280Chip implements I2cDevice {
  celsius = 21;
  pascal = 101_325;
  /** 0x60 is a BME280's. */
  id = 0x58;
  readonly #registers = new Uint8Array(256);
  #pointer = 0;

  constructor() {
    this.power();
  }

  /** Power comes, or came back: it sleeps, and has converted nothing. */
  power(): void {
    const registers = this.#registers.fill(0);
    EXAMPLE.forEach((value, i) => {
      registers[CALIBRATION + 2 * i] = value & 0xff;
      registers[CALIBRATION + 2 * i + 1] = (value >> 8) & 0xff;
    });
  }

  write(bytes: Uint8Array): boolean {
    this.#pointer = bytes[0];
    if (bytes.length < 2) return true;
    if (bytes[0] === RESET && bytes[1] === 0xb6) this.power();
    else if (bytes[0] === CONTROL || bytes[0] === CONTROL + 1) this.#registers[bytes[0]] = bytes[1];
    return true;
  }

  read(target: Uint8Array): boolean {
    const registers = this.#registers;
    registers[CHIP_ID] = this.id;
    this.#convert((registers[CONTROL] & 3) === 3);
    for (let i = 0; i < target.length; i++) target[i] = registers[(this.#pointer + i) & 0xff];
    return true;
  }

  #convert(running: boolean): void {
    let t = NOTHING;
    let p = NOTHING;
    if (running) {
      t = search(code => compensate(EXAMPLE, code, p).celsius >= this.celsius);
      p = search(code => compensate(EXAMPLE, t, code).pascal <= this.pascal);
    }
    [p, t].forEach((code, i) => {
      for (let k = 0; k < 3; k++) this.#registers[DATA + 3 * i + k] = ((code << 4) >> (16 - 8 * k)) & 0xff;
    });
  }
}

/** The least code of 20 bits for which `enough` holds. */
function search(enough: (code: number) => boolean): number {
  let low = 0;
  let high = 0xfffff;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (enough(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

interface Options {
  sensor: I2cBus['i2c'] & { address?: number };
}

/** Speaks to a BMP280 as a board's driver does. A wrong id throws; after a dip of the supply it notices nothing. */
export class Bmp280 {
  readonly #io;
  readonly #calibration: number[];

  constructor(options: Options) {
    this.#io = new options.sensor.io({ hz: 400_000, address: 0x76, ...options.sensor });
    if (this.#read(CHIP_ID, 1)[0] !== 0x58) {
      this.close();
      throw new Error('unexpected sensor');
    }
    this.#io.write(new Uint8Array([RESET, 0xb6]));
    const bytes = this.#read(CALIBRATION, 24);
    const words = new DataView(bytes.buffer);
    this.#calibration = EXAMPLE.map((_, i) =>
      i === 0 || i === 3 ? words.getUint16(2 * i, true) : words.getInt16(2 * i, true),
    );
    this.#io.write(new Uint8Array([CONTROL, 0x57]));
  }

  configure(): void {}

  close(): void {
    this.#io.close();
  }

  sample(): { barometer: { pressure: number }; thermometer: { temperature: number } } {
    const d = this.#read(DATA, 6);
    const code = (at: number) => ((d[at] << 16) | (d[at + 1] << 8) | d[at + 2]) >>> 4;
    const { celsius, pascal } = compensate(this.#calibration, code(3), code(0));
    return { barometer: { pressure: pascal }, thermometer: { temperature: celsius } };
  }

  #read(register: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#io.write(new Uint8Array([register]));
    this.#io.read(bytes);
    return bytes;
  }
}
