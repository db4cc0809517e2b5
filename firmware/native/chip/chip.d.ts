/** The chip around the engine. */
declare module 'native/chip' {
  /** Microseconds since boot; for measurements. */
  export function micros(): number;
  /** Milliseconds since boot, whole; does not wrap. */
  export function uptimeMs(): number;
  /** From now on the board restarts unless it is fed every `ms`: 1 to 8,300 on RP2040, to 60,000 on ESP32. */
  export function startWatchdog(ms: number): void;
  export function feedWatchdog(): void;
  /** 0 power came, or the reset pin; 1 the watchdog; 2 a restart by software or a crash; 3 the supply sagged. */
  export function startCause(): number;
  /** Does not return. */
  export function restart(): void;
  /** Of the engine's memory; garbage counts as used until it is collected. */
  export function freeMemoryBytes(): number;
  /** Up to 160 bytes that outlive a reset, and hold anything after power-on. @returns false: too many */
  export function readRetained(target: Uint8Array): boolean;
  export function writeRetained(source: Uint8Array): boolean;
}
