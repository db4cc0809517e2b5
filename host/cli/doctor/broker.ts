/** Whether the brokers let the gateway in: tried as the gateway does it, under a client id of our own. */
import { readBrokerAccess } from '../../config/load.js';
import type { BrokerConfig, Config } from '../../config.js';
import { Fault } from '../../fault.js';
import { mqttBroker } from '../../node/broker.js';
import { readTextFile } from '../../node/text-file.js';
import { brokerName } from '../../uplink/broker-name.js';
import type { Finding } from './finding.js';

/** Somebody waits for the answer. */
const MAX_TIMEOUT_MS = 5000;

/** @param online the running gateway says that it is connected with the uplink's broker: then nothing is to be tried */
export async function checkBrokers(config: Config, online = false): Promise<Finding[]> {
  const { uplink, links } = config;
  const findings: Finding[] = [];
  if (uplink === undefined)
    findings.push({
      check: 'broker',
      state: 'note',
      text: 'the configuration has no uplink: nothing is published',
    });
  else if (online)
    findings.push({
      check: 'broker',
      state: 'ok',
      text: `the gateway is connected with ${brokerName(uplink.broker)}`,
    });
  else findings.push(await checkBroker(config, uplink, 'uplink'));
  if (links.mqtt !== undefined && links.mqtt.broker !== uplink?.broker)
    findings.push(await checkBroker(config, links.mqtt, 'links.mqtt'));
  return findings;
}

async function checkBroker(config: Config, broker: BrokerConfig, section: string): Promise<Finding> {
  const check = 'broker';
  const { broker: url, protocol, keepAliveSeconds, connectTimeoutMs } = broker;
  try {
    const access = await readBrokerAccess(readTextFile, broker, section);
    const session = await mqttBroker.connect(
      {
        url,
        protocol,
        keepAliveSeconds,
        connectTimeoutMs: Math.min(connectTimeoutMs, MAX_TIMEOUT_MS),
        clientId: `sovereign-${config.gateway}-doctor`,
        cleanStart: true,
        ...access,
      },
      { message: async () => {}, closed: () => {} },
    );
    await session.end();
    return { check, state: 'ok', text: `${brokerName(url)} lets us in` };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { code, message, remedy } = error;
    const hint =
      code === 'broker-unreachable'
        ? ` apt-get install mosquitto brings one; ${section}.broker names it.`
        : '';
    return { check, state: 'wrong', text: message, remedy: `${remedy}${hint}`.trim() };
  }
}
