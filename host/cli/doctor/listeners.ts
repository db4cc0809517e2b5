/** Whether the addresses are free that the gateway wants to listen on. Asked only while it does not run. */
import type { Config, ListenAddress } from '../../config.js';
import { tryListening } from '../../node/machine.js';
import type { Finding } from './finding.js';

export async function checkListeners(config: Config): Promise<Finding[]> {
  const wanted: [string, ListenAddress | undefined][] = [
    ['links.tcp.listen', config.links.tcp?.listen],
    ['links.sdk.listen', config.links.sdk?.listen],
    ['web.listen', config.web?.listen],
    ['metrics.listen', config.metrics?.listen],
  ];
  const findings: Finding[] = [];
  for (const [setting, address] of wanted) if (address) findings.push(await checkListener(setting, address));
  return findings;
}

async function checkListener(setting: string, { host, port }: ListenAddress): Promise<Finding> {
  const check = 'listen';
  const name = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const code = await tryListening(host, port);
  if (code === '') return { check, state: 'ok', text: `${name} is free for ${setting}` };
  const [text, remedy] =
    code === 'EADDRINUSE'
      ? ['is taken by another program', `ss -ltnp 'sport = :${port}' shows which; or choose another port`]
      : code === 'EACCES'
        ? ['may not be used by this user', 'choose a port from 1024 up']
        : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
          ? ['is no address of this machine', 'ip address shows them; 0.0.0.0 is all of them']
          : [`can't be used: ${code}`, 'choose another address'];
  return { check, state: 'wrong', text: `${setting}: ${name} ${text}`, remedy };
}
