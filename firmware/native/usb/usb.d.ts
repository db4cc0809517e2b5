/** USB-CDC of the RP2040 as a byte stream. */
declare module 'native/usb' {
  /** 0 while nobody has the port open, otherwise a number that changes each time it is opened. */
  export function opened(): number;
  /** Takes what has come, up to the length of `target`. @returns bytes taken; 0: none */
  export function read(target: Uint8Array): number;
  /** Takes source[from, to) whole or not at all (false: no room now, or nobody there). Never waits. */
  export function write(source: Uint8Array, from: number, to: number): boolean;
}
