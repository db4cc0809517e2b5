/** Modules of the SDK that @moddable/typings lacks, or that its typings and its code tell differently. */
declare module 'embedded:network/interface/wifi' {
  class WiFi {
    constructor(options: { onChanged?: (property: 'connection' | 'address') => void });
    connect(options: { SSID: string; password?: string; secure?: boolean }): void;
    disconnect(): void;
    close(): void;
    /** From 500 on there is an address; up to 200 it is not joined. */
    readonly connection: number;
  }
  export default WiFi;
}

declare module 'embedded:network/mqtt/client' {
  class MQTTClient {
    constructor(options: {
      host: string;
      port: number;
      id: string;
      keepAlive?: number;
      clean?: boolean;
      user?: string;
      password?: string;
      socket: { io: unknown };
      dns: { io: unknown };
    });
    read(target: Uint8Array): unknown;
    write(data: Uint8Array | null, options: object): number;
    close(): void;
  }
  export default MQTTClient;
}

declare module 'embedded:io/socket/tcp' {
  class TCP {
    constructor(options: {
      address: string;
      port: number;
      nodelay?: boolean;
      format?: 'number' | 'buffer';
      onReadable?: (bytes: number) => void;
      onWritable?: (bytes: number) => void;
      onError?: () => void;
    });
    read(target: Uint8Array): unknown;
    write(bytes: Uint8Array): number | undefined;
    close(): void;
  }
  export default TCP;
}

declare module 'net' {
  const Net: { resolve(host: string, done: (host: string, address?: string) => void): void };
  export default Net;
}
