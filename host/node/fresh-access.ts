/** Certificates are renewed and passwords changed while a gateway runs. */
import { readBrokerAccess } from '../config/load.js';
import type { BrokerConfig } from '../config.js';
import type { Broker } from '../ports.js';
import { readTextFile } from './text-file.js';

/**
 * A broker that is shown at each connection what the files of the configuration hold by then. Files that can't be read are a
 * failure to connect like any other: it is tried again.
 * @param conceal told each password, which is to appear in no log
 */
export function withFreshAccess(
  broker: Broker,
  config: BrokerConfig,
  section: string,
  conceal: (secret: string) => void,
): Broker {
  return {
    async connect(options, handler) {
      const access = await readBrokerAccess(readTextFile, config, section);
      if (access.password !== undefined) conceal(access.password);
      return broker.connect({ ...options, ...access }, handler);
    },
  };
}
