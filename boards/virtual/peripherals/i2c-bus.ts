/**
 * An I2C bus in memory, and ECMA-419 I2C and SMBus classes over it. Like a board's: an address that is open is
 * taken until it is closed, and what nobody acknowledges throws.
 */

/** A chip on the bus. */
export interface I2cDevice {
  /** Takes a write; returns false where the chip would not acknowledge. */
  write(bytes: Uint8Array): boolean;
  /** Fills a read; returns false where the chip would not acknowledge. */
  read(target: Uint8Array): boolean;
}

/** `low` and `high`: someone holds the data line, and everything reads as zeros or as ones. */
export type BusState = 'works' | 'nack' | 'low' | 'high';

export interface I2cOptions {
  address: number;
  hz?: number;
  data?: number;
  clock?: number;
}

export class I2cBus {
  state: BusState = 'works';
  /** Transactions so far. */
  transactions = 0;
  readonly #devices = new Map<number, I2cDevice>();
  readonly #open = new Set<number>();
  /** What `sensor` in a driver's options needs. */
  readonly i2c: { readonly io: new (options: I2cOptions) => I2c };
  readonly smbus: { readonly io: new (options: I2cOptions) => Smbus };

  constructor() {
    const bus = this;
    this.i2c = {
      io: class extends I2c {
        constructor(options: I2cOptions) {
          super(bus, options);
        }
      },
    };
    this.smbus = {
      io: class extends Smbus {
        constructor(options: I2cOptions) {
          super(bus, options);
        }
      },
    };
  }

  attach(address: number, device: I2cDevice): void {
    this.#devices.set(address, device);
  }

  detach(address: number): void {
    this.#devices.delete(address);
  }

  /** Addresses that someone has open. */
  get opened(): number {
    return this.#open.size;
  }

  take(address: number): void {
    if (this.#open.has(address)) throw new RangeError('duplicate address');
    this.#open.add(address);
  }

  give(address: number): void {
    this.#open.delete(address);
  }

  write(address: number, bytes: Uint8Array): void {
    if (!this.#transfer(address, device => device.write(bytes))) throw new Error('write failed');
  }

  read(address: number, target: Uint8Array): void {
    if (!this.#transfer(address, device => device.read(target))) throw new Error('read failed');
    if (this.state === 'low') target.fill(0);
    if (this.state === 'high') target.fill(0xff);
  }

  #transfer(address: number, run: (device: I2cDevice) => boolean): boolean {
    this.transactions++;
    // A line that is held low looks like an acknowledgement; one held high does on a controller that misses it.
    if (this.state === 'low' || this.state === 'high') return true;
    const device = this.#devices.get(address);
    return this.state === 'works' && device !== undefined && run(device);
  }
}

/** ECMA-419 I2C, as far as drivers use it. */
export class I2c {
  readonly #bus: I2cBus;
  readonly #address: number;
  #open = true;

  constructor(bus: I2cBus, options: I2cOptions) {
    if (!(options.address >= 0 && options.address <= 127)) throw new RangeError('invalid address');
    bus.take(options.address);
    this.#bus = bus;
    this.#address = options.address;
  }

  close(): void {
    if (this.#open) this.#bus.give(this.#address);
    this.#open = false;
  }

  write(bytes: Uint8Array): void {
    this.#check();
    this.#bus.write(this.#address, bytes);
  }

  read(target: Uint8Array): void {
    this.#check();
    this.#bus.read(this.#address, target);
  }

  writeRead(bytes: Uint8Array, target: Uint8Array): void {
    this.write(bytes);
    this.read(target);
  }

  #check(): void {
    if (!this.#open) throw new SyntaxError('closed');
  }
}

/** ECMA-419 SMBus, as far as drivers use it. */
export class Smbus extends I2c {
  readonly #command = new Uint8Array(1);
  readonly #word = new Uint8Array(2);
  readonly #wordWrite = new Uint8Array(3);

  readUint8(register: number): number {
    this.#command[0] = register;
    this.writeRead(this.#command, this.#command);
    return this.#command[0];
  }

  readUint16(register: number, bigEndian?: boolean): number {
    const word = this.#word;
    this.#command[0] = register;
    this.writeRead(this.#command, word);
    return bigEndian === true ? (word[0] << 8) | word[1] : (word[1] << 8) | word[0];
  }

  writeUint16(register: number, value: number, bigEndian?: boolean): void {
    const bytes = this.#wordWrite;
    bytes[0] = register;
    bytes[1] = bigEndian === true ? value >> 8 : value;
    bytes[2] = bigEndian === true ? value : value >> 8;
    this.write(bytes);
  }
}
