/** `sovereign gateway`: runs until it is told to stop. */
import type { Command } from 'commander';
import type { Config } from '../config.js';
import { systemClock } from '../node/clock.js';
import { startGateway } from '../node/gateway-process.js';
import { systemLog } from '../node/log.js';
import { systemdNotifier } from '../node/notify.js';
import { onStopSignal } from '../node/stop-signals.js';
import { brokerAccessOf, type ConfigOption, configOf, withConfig } from './context.js';
import { exposedSecrets } from './exposed-secrets.js';

export function register(program: Command): void {
  const command = program.command('gateway').description('run the gateway in the foreground');
  withConfig(command).action(gateway);
}

async function gateway(options: ConfigOption): Promise<void> {
  const config = await configOf(options);
  const access = config.uplink === undefined ? {} : await brokerAccessOf(config);
  const log = systemLog(config.log);
  if (access.password !== undefined) log.conceal(access.password);
  const exposed = await exposedSecrets(config);
  if (exposed !== undefined) log.warn(exposed.code, { error: exposed.message, remedy: exposed.remedy });
  const systemd = systemdNotifier(systemClock, log);
  const running = await startGateway(config, access, log, systemd?.watchdogMs);
  systemd?.ready(() => running.gateway.health());
  log.info('gateway-started', {
    site: config.site,
    gateway: config.gateway,
    data: config.dataDirectory,
    links: linksText(config),
    uplink: config.uplink?.broker ?? 'none',
    page: pageText(config),
  });
  await new Promise<void>(resolve => onStopSignal(resolve));
  systemd?.stopping();
  log.info('gateway-stopping');
  await running.stop();
  log.info('gateway-stopped');
}

function pageText({ web }: Config): string {
  if (web === undefined) return 'none';
  const { host, port } = web.listen;
  return `${web.cert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function linksText({ links }: Config): string {
  const names = links.serial.map(({ port }) => `serial:${port}`);
  if (links.tcp) names.push(`tcp:${links.tcp.listen.host}:${links.tcp.listen.port}`);
  if (links.mqtt) names.push(`mqtt:${new URL(links.mqtt.broker).host}`);
  if (links.sdk) names.push(`sdk:${links.sdk.listen.host}:${links.sdk.listen.port}`);
  return names.join(' ') || 'none';
}
