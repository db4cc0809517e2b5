/** The board's raw flash region: sectors of 4,096 bytes, programs of 256. Once `open`, used as firmware/ports.ts says. */
declare module 'native/flash' {
  /** @throws RangeError when there is no room for so many sectors. Always ask for as many as before: they lie at the end. */
  export function open(sectors: number): void;
  export function read(sector: number, offset: number, target: Uint8Array): void;
  export function erase(sector: number): boolean;
  export function program(sector: number, offset: number, source: Uint8Array): boolean;
}
