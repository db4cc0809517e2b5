import { Fault, systemCode } from '../fault.js';

export interface ListenSetting {
  readonly host: string;
  readonly port: number;
  /** Where the address stands in the configuration. */
  readonly setting: string;
}

/** Why an address can't be listened on, and what to do about it. */
export function listenFault({ host, port, setting }: ListenSetting, error: Error): Fault {
  const code = systemCode(error);
  if (code === 'EADDRINUSE')
    return new Fault(
      'port-taken',
      `port ${port} on ${host} is taken by another program`,
      `stop that program (\`ss -ltnp 'sport = :${port}'\` names it) or choose another port in ${setting}`,
      error,
    );
  if (code === 'EACCES')
    return new Fault(
      'port-forbidden',
      `port ${port} on ${host} may not be opened by this user`,
      `choose a port from 1024 up in ${setting}`,
      error,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new Fault(
      'address-unknown',
      `${host} is not an address of this machine`,
      `give an address of this machine in ${setting}, or 0.0.0.0 for all of them`,
      error,
    );
  return new Fault('listen-failed', `cannot listen on ${host}:${port}: ${error.message}`, '', error);
}
