import type { I2cBus, I2cDevice } from './i2c-bus.js';

/** CRC-8 of Sensirion: polynomial 31, initial value FF. */
export function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xff;
  for (let i = from; i < to; i++) {
    crc ^= bytes[i];
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80 ? (crc << 1) ^ 0x31 : crc << 1) & 0xff;
  }
  return crc;
}

/** The registers of an SHT3x: commands of two bytes, words with a checksum each. */
export class Sht3xChip implements I2cDevice {
  celsius = 21;
  humidity = 45;
  badCrc: 'none' | 'temperature' | 'humidity' | 'status' = 'none';
  #reply: Uint8Array = new Uint8Array(0);

  write(bytes: Uint8Array): boolean {
    const command = (bytes[0] << 8) | bytes[1];
    if (command === 0x2c06) {
      const temperature = Math.round(((this.celsius + 45) / 175) * 65_535);
      const humidity = Math.round((this.humidity / 100) * 65_535);
      this.#reply = new Uint8Array([
        ...this.#word(temperature, this.badCrc === 'temperature'),
        ...this.#word(humidity, this.badCrc === 'humidity'),
      ]);
    } else if (command === 0xf32d) this.#reply = this.#word(0, this.badCrc === 'status');
    else this.#reply = new Uint8Array(0);
    return true;
  }

  /** Nothing was measured: it does not acknowledge. */
  read(target: Uint8Array): boolean {
    if (this.#reply.length === 0) return false;
    target.fill(0xff);
    target.set(this.#reply.subarray(0, target.length));
    this.#reply = new Uint8Array(0);
    return true;
  }

  #word(value: number, bad: boolean): Uint8Array {
    const word = new Uint8Array([value >> 8, value & 0xff, 0]);
    word[2] = crc8(word, 0, 2) ^ (bad ? 1 : 0);
    return word;
  }
}

interface Options {
  sensor: I2cBus['i2c'] & { address?: number };
  onError?: (reason: string) => void;
}

/**
 * Speaks to an SHT3x as a board's driver does: a value with a wrong checksum is missing from the sample, a bus
 * that does not answer throws, and a constructor that throws leaves its IO open.
 */
export class Sht3x {
  readonly #io;
  readonly #onError;
  readonly #words = new Uint8Array(6);
  readonly #status = new Uint8Array(3);

  constructor(options: Options) {
    this.#io = new options.sensor.io({ hz: 1_000_000, address: 0x44, ...options.sensor });
    this.#onError = options.onError;
    this.#command(0x30a2);
  }

  configure(): void {}

  close(): void {
    this.#io.close();
  }

  sample(): { thermometer: { temperature?: number }; hygrometer: { humidity?: number } } {
    const words = this.#words;
    const status = this.#status;
    this.#command(0x2c06);
    this.#io.read(words);
    this.#command(0xf32d);
    this.#io.read(status);
    if (status[2] !== crc8(status, 0, 2)) this.#onError?.('bad checksum');
    this.#command(0x3041);
    const word = (at: number) => words[at] * 256 + words[at + 1];
    const thermometer = words[2] === crc8(words, 0, 2) ? { temperature: (word(0) * 175) / 65_535 - 45 } : {};
    const hygrometer = words[5] === crc8(words, 3, 5) ? { humidity: (word(3) * 100) / 65_535 } : {};
    return { thermometer, hygrometer };
  }

  #command(command: number): void {
    this.#io.write(new Uint8Array([command >> 8, command & 0xff]));
  }
}
