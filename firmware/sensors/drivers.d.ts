/**
 * The Moddable SDK's drivers, which its published typings lack. Boards import them and pass them to the sources;
 * nothing in this folder does.
 */
declare module 'embedded:sensor/Humidity-Temperature/SHT3x' {
  class SHT3x {
    constructor(options: { sensor: object; onError?: (reason: string) => void });
    /** A value whose checksum was wrong is missing. Blocks for 150 ms. */
    sample(): { thermometer: { temperature?: number }; hygrometer: { humidity?: number } };
    configure(options: object): void;
    close(): void;
  }
  export default SHT3x;
}

declare module 'embedded:sensor/Temperature/TMP117' {
  class TMP117 {
    constructor(options: { sensor: object; onError?: (reason: string) => void });
    sample(): { temperature: number; alert: number };
    configure(options: object): void;
    close(): void;
  }
  export default TMP117;
}

declare module 'embedded:sensor/Barometer-Temperature/BMP280' {
  class BMP280 {
    constructor(options: { sensor: object; onError?: (reason: string) => void });
    /** Pressure in Pa. */
    sample(): { barometer: { pressure: number }; thermometer: { temperature: number } };
    configure(options: object): void;
    close(): void;
  }
  export default BMP280;
}

declare module 'embedded:RTC/DS3231' {
  class DS3231 {
    constructor(options: { clock: object });
    /** Unix time in ms, whole seconds; undefined while the chip is stopped. */
    time: number | undefined;
    close(): void;
  }
  export default DS3231;
}
