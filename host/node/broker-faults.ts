import { Fault, systemCode } from '../fault.js';
import type { BrokerOptions } from '../ports.js';
import { brokerName } from '../uplink/broker-name.js';
import { isSecure, tlsFault } from './broker-tls.js';

/** Reason codes that a broker ends or refuses a connection with (MQTT 5, section 2.4). */
export const REASONS: Readonly<Record<number, string>> = {
  0: 'normal disconnection',
  128: 'unspecified error',
  129: 'malformed packet',
  130: 'protocol error',
  131: 'implementation specific error',
  135: 'not authorized',
  137: 'server busy',
  139: 'server shutting down',
  141: 'keep alive timeout',
  142: 'session taken over: another client connected with the same id',
  143: 'topic filter invalid',
  144: 'topic name invalid',
  147: 'receive maximum exceeded',
  149: 'packet too large',
  150: 'message rate too high',
  151: 'quota exceeded',
  152: 'administrative action',
  156: 'use another server',
  157: 'server moved',
  159: 'connection rate exceeded',
};

const CREDENTIALS = new Set([4, 5, 134, 135]);
const PROTOCOL = new Set([1, 132]);
const CLIENT_ID = new Set([2, 133]);

/** Whether the broker has ended the connection and we know not why: what it said may have met us while we spoke. */
export function silent(cause: unknown): boolean {
  return cause === undefined || ['ECONNRESET', 'EPIPE', 'EPROTO'].includes(systemCode(cause));
}

/** What to tell the user about a connection that did not come about. */
export function connectFault(options: BrokerOptions, cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  const name = brokerName(options.url);
  const code = (cause as { code?: unknown } | undefined)?.code;
  const said = cause instanceof Error ? cause.message : 'it closed the connection without a word';
  if (typeof code === 'number') {
    if (CREDENTIALS.has(code)) {
      return new Fault(
        'broker-refused',
        `${name} refuses the user ${options.username ?? '(none)'}: ${said}`,
        'Check user name and password, and the broker’s access list.',
        cause,
      );
    }
    if (PROTOCOL.has(code)) {
      return new Fault(
        'broker-protocol',
        `${name} does not speak MQTT ${options.protocol}: ${said}`,
        `Set protocol to ${options.protocol === '5' ? '3.1.1' : '5'}.`,
        cause,
      );
    }
    if (CLIENT_ID.has(code)) {
      const remedy = 'Choose another id.';
      return new Fault('broker-refused', `${name} refuses the client id ${options.clientId}`, remedy, cause);
    }
    return new Fault('broker-refused', `${name} refuses the connection: ${said}`, '', cause);
  }
  const tls = tlsFault(options, cause);
  if (tls !== undefined) return tls;
  if (said === 'connack timeout') {
    return new Fault(
      'broker-timeout',
      `${name} does not answer within ${options.connectTimeoutMs} ms`,
      'Check that an MQTT broker listens there, and the network between.',
      cause,
    );
  }
  const system = systemCode(cause);
  // Somebody is there, and ends what he does not understand.
  const remedy = !silent(cause)
    ? 'Check that the broker runs and that the address is right.'
    : isSecure(options.url)
      ? 'Check that the broker speaks TLS on this port, and that it takes cert when it asks for one.'
      : 'Check the port; one for TLS takes mqtts:// or wss:// alone.';
  return new Fault('broker-unreachable', `no connection with ${name}: ${said || system}`, remedy, cause);
}
