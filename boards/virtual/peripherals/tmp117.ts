import type { I2cBus, I2cDevice } from './i2c-bus.js';

const TEMPERATURE = 0x00;
const CONFIGURATION = 0x01;
const CHIP_ID = 0x0f;
const SOFT_RESET = 0x0002;

/** The registers of a TMP117: words, most significant byte first, after a pointer. */
export class Tmp117Chip implements I2cDevice {
  celsius = 21;
  /** False until the first conversion after power or a reset is done: then it says -256 °C. */
  converted = true;
  readonly registers = new Uint16Array(16);
  #pointer = 0;

  constructor() {
    this.power();
  }

  /** Power comes, or came back. */
  power(): void {
    this.registers.fill(0);
    this.registers[CONFIGURATION] = 0x0220;
    this.registers[CHIP_ID] = 0x0117;
  }

  write(bytes: Uint8Array): boolean {
    this.#pointer = bytes[0] & 0x0f;
    if (bytes.length === 3) {
      const value = (bytes[1] << 8) | bytes[2];
      if (this.#pointer !== CONFIGURATION) this.registers[this.#pointer] = value;
      else if (value & SOFT_RESET) this.power();
      else this.registers[CONFIGURATION] = value;
    }
    return true;
  }

  read(target: Uint8Array): boolean {
    this.registers[TEMPERATURE] = this.converted ? Math.round(this.celsius * 128) & 0xffff : 0x8000;
    const value = this.registers[this.#pointer];
    for (let i = 0; i < target.length; i++) target[i] = i % 2 === 0 ? value >> 8 : value & 0xff;
    return true;
  }
}

interface Options {
  sensor: I2cBus['smbus'] & { address?: number };
  onError?: (reason: string) => void;
}

/** Speaks to a TMP117 as a board's driver does: a wrong id is told to `onError`, and then nothing works. */
export class Tmp117 {
  #io: InstanceType<I2cBus['smbus']['io']> | undefined;

  constructor(options: Options) {
    const io = new options.sensor.io({ hz: 400_000, address: 0x48, ...options.sensor });
    this.#io = io;
    if ((io.readUint16(CHIP_ID, true) & 0x0fff) !== 0x0117) {
      options.onError?.('unexpected sensor');
      this.close();
      return;
    }
    io.writeUint16(CONFIGURATION, io.readUint16(CONFIGURATION, true) | SOFT_RESET, true);
    io.writeUint16(CONFIGURATION, 0x0220, true);
  }

  configure(): void {}

  close(): void {
    this.#io?.close();
    this.#io = undefined;
  }

  sample(): { temperature: number } {
    const code = this.#io!.readUint16(TEMPERATURE, true);
    return { temperature: (code >= 0x8000 ? code - 0x1_0000 : code) / 128 };
  }
}
