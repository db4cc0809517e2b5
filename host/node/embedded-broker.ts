import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { Fault, systemCode } from '../fault.js';

/** An MQTT 3.1.1 broker inside this process, in memory: for `npm start` and trials, not for keeping readings. */
export interface EmbeddedBroker {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param port TCP port on the loopback interface; 0 takes a free one
 * @throws Fault `port-taken` when something else listens there
 */
export async function startEmbeddedBroker(port = 0): Promise<EmbeddedBroker> {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', error =>
      reject(
        systemCode(error) === 'EADDRINUSE'
          ? new Fault(
              'port-taken',
              `port ${port} is taken`,
              'Stop what listens there, or choose another port.',
              error,
            )
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as { port: number };
  return {
    url: `mqtt://127.0.0.1:${address.port}`,
    async close() {
      await new Promise<void>(resolve => broker.close(() => resolve()));
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}
