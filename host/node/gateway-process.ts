/** A gateway over the ports of this machine. */
import { join } from 'node:path';
import { type BrokerAccess, readBrokerAccess } from '../config/load.js';
import type { Config, MqttLinkConfig } from '../config.js';
import type { LogBook } from '../control/log-book.js';
import type { ProcessStatus } from '../control/status.js';
import { Fault, systemCode } from '../fault.js';
import { Gateway } from '../gateway.js';
import { KeyringWatch } from '../keyring/watch.js';
import { enrolOwn } from '../panel/enrol.js';
import type { PanelPorts } from '../panel/panel.js';
import { version } from '../version.js';
import { mqttBroker } from './broker.js';
import { systemClock, WatchedClock } from './clock.js';
import { nodeDigest } from './digest.js';
import { diskWrites, WriteMeter } from './disk-writes.js';
import { withFreshAccess } from './fresh-access.js';
import { NodeGpio } from './gpio.js';
import { lockDirectory } from './lock.js';
import { openMetrics } from './metrics.js';
import { MqttLinkSource } from './mqtt-link.js';
import { openPage } from './page.js';
import { privateFiles } from './private-files.js';
import { systemRandom } from './random.js';
import { SerialSource } from './serial.js';
import { NodeStorage } from './storage.js';
import { TcpListener } from './tcp.js';
import { readTextFile } from './text-file.js';
import { UnixListener } from './unix-socket.js';

export interface GatewayProcess {
  readonly gateway: Gateway;
  /** Where boards connect; 0 without `links.tcp`. */
  readonly tcpPort: number;
  stop(): Promise<void>;
}

/**
 * @param hangMs what a write to the disk may take before the gateway counts as hanging
 * @throws Fault, with everything given back that had been taken
 */
export async function startGateway(
  config: Config,
  access: BrokerAccess,
  log: LogBook,
  hangMs?: number,
): Promise<GatewayProcess> {
  const { dataDirectory, links } = config;
  const keyring = await KeyringWatch.open(
    { files: privateFiles, clock: systemClock, log },
    config.keyringFile,
  );
  const owned: (() => Promise<void> | void)[] = [() => keyring.close()];
  const giveBack = async () => {
    for (const release of owned.reverse()) await release();
  };
  try {
    await makeDataDirectory(dataDirectory);
    const lock = await lockDirectory(dataDirectory);
    owned.push(() => lock.release());
    const tcp =
      links.tcp &&
      new TcpListener(
        {
          ...links.tcp.listen,
          prefix: 'tcp',
          setting: 'links.tcp.listen',
          maxConnections: links.tcp.maxConnections,
        },
        log,
      );
    const sdk =
      links.sdk &&
      new TcpListener(
        {
          ...links.sdk.listen,
          prefix: 'sdk',
          setting: 'links.sdk.listen',
          maxConnections: links.sdk.maxConnections,
        },
        log,
      );
    const mqtt = links.mqtt && (await mqttLinks(links.mqtt, config.gateway, log));
    const web = config.web && (await openPage(config.web, log));
    if (web?.options.token !== undefined) log.conceal(web.options.token);
    const clock = new WatchedClock();
    await clock.start();
    owned.push(() => clock.stop());
    const gateway = await Gateway.start(
      config,
      access,
      {
        version,
        runtime: `node ${process.version}`,
        pid: process.pid,
        process: processStatus,
        ...(hangMs !== undefined && { hangMs }),
      },
      {
        storage: new NodeStorage(),
        clock,
        random: systemRandom,
        log,
        logControl: log,
        writes: new WriteMeter(() => diskWrites(dataDirectory), systemClock),
        digest: nodeDigest,
        broker: config.uplink
          ? withFreshAccess(mqttBroker, config.uplink, 'uplink', secret => log.conceal(secret))
          : mqttBroker,
        keyring,
        serial: links.serial.map(options => new SerialSource(options, systemClock, log)),
        ...(tcp && { tcp }),
        ...(mqtt && { mqtt }),
        ...(sdk && { sdk }),
        ...(config.metrics && {
          metrics: openMetrics(config.metrics, log),
        }),
        ...(web && { web }),
        ...(config.panel && { panel: panelPorts(config, config.panel.chip, keyring) }),
        control: new UnixListener(join(dataDirectory, 'control.sock')),
      },
    );
    owned.push(() => gateway.stop());
    return { gateway, tcpPort: tcp?.port ?? 0, stop: giveBack };
  } catch (error) {
    await giveBack();
    throw error;
  }
}

async function mqttLinks(link: MqttLinkConfig, gateway: string, log: LogBook): Promise<MqttLinkSource> {
  const { broker: url, protocol, keepAliveSeconds, connectTimeoutMs, maxDevices: maxLinks } = link;
  const access = await readBrokerAccess(readTextFile, link, 'links.mqtt');
  if (access.password !== undefined) log.conceal(access.password);
  const clientId = `sovereign-${gateway}-link`;
  return new MqttLinkSource(
    { broker: { url, protocol, keepAliveSeconds, connectTimeoutMs, clientId, ...access }, maxLinks },
    {
      broker: withFreshAccess(mqttBroker, link, 'links.mqtt', secret => log.conceal(secret)),
      clock: systemClock,
      random: systemRandom,
      log,
    },
  );
}

function panelPorts(
  config: Config,
  chip: string | undefined,
  keyring: KeyringWatch,
): Pick<PanelPorts, 'lines' | 'enrol'> {
  return {
    lines: new NodeGpio({ chip }),
    enrol: async entry => {
      await enrolOwn(privateFiles, config.keyringFile, config.gateway, entry);
      await keyring.look();
    },
  };
}

async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await new NodeStorage().ensureDirectory(directory);
  } catch (error) {
    throw new Fault(
      'data-not-writable',
      `cannot make the data directory ${directory}: ${systemCode(error) || String(error)}`,
      'choose one that this user may write (data: in the configuration), or make it and give it to this user',
      error,
    );
  }
}

function processStatus(): ProcessStatus {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { residentBytes: rss, heapBytes: heapUsed, cpuSeconds: (user + system) / 1e6 };
}
