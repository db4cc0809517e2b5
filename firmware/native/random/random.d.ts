declare module 'native/random' {
  /**
   * Fills `target` with cryptographically secure bytes.
   * @param radioOn ESP32 only: Wi-Fi is running, and is the source of entropy
   */
  export function fill(target: Uint8Array, radioOn?: boolean): void;
}
