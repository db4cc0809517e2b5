/** Why a broker and we did not come to terms over TLS, in words that say what to mend. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls';
import { Fault, systemCode } from '../fault.js';
import type { BrokerOptions } from '../ports.js';
import { CLOCK_FAULT } from '../uplink/backoff.js';
import { brokerName } from '../uplink/broker-name.js';

type TlsTexts = NonNullable<BrokerOptions['tls']>;

const UNKNOWN = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);
/** Alerts of a peer that wants another certificate than ours, or one at all; TLS 1.2 has no better word for that than a failure. */
const OF_CERTIFICATE = /_ALERT_.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)/;
const PORTS: Readonly<Record<string, number>> = { 'mqtts:': 8883, 'wss:': 443 };
/** A broker that has something against our certificate says so at once. */
const LISTEN_MS = 2000;
const SET_CLOCK = 'timedatectl set-ntp true sets the clock where a time server is reached';

export function isSecure(url: string): boolean {
  return /^(mqtts|wss):/.test(url);
}

/** What TLS wants to know of a host: an address has no name to ask for. */
export function tlsOptions(host: string, tls: TlsTexts | undefined): ConnectionOptions {
  return { host, ...(isIP(host) === 0 && { servername: host }), ...tls };
}

/**
 * What is wrong with the texts that the configuration gives for TLS, as far as they tell by themselves.
 * @returns Fault `broker-tls-files`, or `broker-certificate-early` and `broker-certificate-expired` of our own one
 */
export function tlsTextsFault(tls: TlsTexts | undefined, now = Date.now()): Fault | undefined {
  const { ca, cert, key } = tls ?? {};
  const wrong = (what: string, cause?: unknown) =>
    new Fault(
      'broker-tls-files',
      what,
      'ca and cert take certificates in PEM, key the private key of cert in PEM without a passphrase.',
      cause,
    );
  if (ca !== undefined && certificateOf(ca) === undefined) return wrong('ca holds no certificate');
  if (cert === undefined || key === undefined) return undefined;
  const own = certificateOf(cert);
  if (own === undefined) return wrong('cert holds no certificate');
  try {
    if (!own.checkPrivateKey(createPrivateKey(key))) return wrong('key is not the key of cert');
  } catch (error) {
    return wrong('key holds no private key that can be read', error);
  }
  return ownDateFault(own, now);
}

/** The first certificate of a text, which is whose the text is. */
export function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Unix ms: the end of what comes first of our own certificate and the broker's, as far as the connection shows it. */
export function certificatesEndAt(connection: Duplex, tls: TlsTexts | undefined): number | undefined {
  const ends = [
    tls?.cert === undefined ? undefined : certificateOf(tls.cert)?.validTo,
    connection instanceof TLSSocket ? connection.getPeerCertificate().valid_to : undefined,
  ];
  const first = Math.min(
    ...ends.map(end => (end === undefined ? Number.NaN : Date.parse(end))).filter(Number.isFinite),
  );
  return Number.isFinite(first) ? first : undefined;
}

function ownDateFault({ validFrom, validTo }: X509Certificate, now: number): Fault | undefined {
  if (now < Date.parse(validFrom))
    return new Fault(
      CLOCK_FAULT,
      `our certificate (cert) is not valid before ${minute(validFrom)}; the clock here says ${day(now)}`,
      `We connect by ourselves as soon as it is. If the clock is wrong: ${SET_CLOCK}.`,
    );
  if (now <= Date.parse(validTo)) return undefined;
  return new Fault(
    'broker-certificate-expired',
    `our certificate (cert) has expired at ${minute(validTo)}; the clock here says ${day(now)}`,
    `Have it renewed. If the clock is wrong: ${SET_CLOCK}.`,
  );
}

/** The fault of an error of the TLS layer; undefined when it is of another. */
export function tlsFault(options: BrokerOptions, cause: unknown, now = Date.now()): Fault | undefined {
  const code = systemCode(cause);
  const said = cause instanceof Error ? cause.message.trim() : code;
  if (!/^ERR_(TLS|SSL|OSSL)|CERT|SELF_SIGNED|UNABLE_TO_|INVALID_CA/.test(code)) return undefined;
  const name = brokerName(options.url);
  const fault = (kind: string, what: string, remedy: string) => new Fault(kind, what, remedy, cause);
  const own = tlsTextsFault(options.tls, now);
  if (own?.code === 'broker-tls-files') return own;
  if (code === 'CERT_NOT_YET_VALID')
    return fault(
      CLOCK_FAULT,
      `${name}: its certificate is not valid yet; the clock here says ${day(now)}`,
      `We connect by ourselves as soon as it is. If the clock is wrong: ${SET_CLOCK}.`,
    );
  if (code === 'CERT_HAS_EXPIRED')
    return fault(
      'broker-certificate-expired',
      `${name}: its certificate has expired; the clock here says ${day(now)}`,
      `Have the broker’s certificate renewed. If the clock is wrong: ${SET_CLOCK}.`,
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { cert } = cause as { cert?: { subjectaltname?: string; subject?: { CN?: string } } };
    const names = cert?.subjectaltname ?? cert?.subject?.CN ?? 'another name';
    return fault(
      'broker-certificate-name',
      `${name}: its certificate is for ${names}`,
      'Name the broker in its URL as its certificate does, or have one made for this name.',
    );
  }
  if (UNKNOWN.has(code))
    return fault(
      'broker-certificate-unknown',
      `${name}: its certificate is of an authority that is not known here (${said})`,
      options.tls?.ca === undefined
        ? 'Name the file with the authority’s certificate: ca.'
        : 'Check that ca is the certificate of the authority that has signed the broker’s.',
    );
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return fault(
      'broker-no-tls',
      `${name} answers, but not with TLS`,
      'TLS has a port of its own, mostly 8883; without TLS the URL begins with mqtt:// or ws://.',
    );
  if (OF_CERTIFICATE.test(code)) return refusedFault(options, own, name, code, cause);
  return fault('broker-tls', `no TLS connection with ${name}: ${said}`, 'Check ca, cert and key.');
}

/** The broker has sent an alert: it does not take our certificate, or wants one. */
function refusedFault(
  options: BrokerOptions,
  own: Fault | undefined,
  name: string,
  code: string,
  cause: unknown,
): Fault {
  const alert = code
    .replace(/^.*_ALERT_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
  if (options.tls?.cert === undefined)
    return new Fault(
      'broker-certificate-refused',
      `${name} wants a certificate of ours (${alert})`,
      'Give it one: cert and key.',
      cause,
    );
  // By its dates, when these are what it has against it.
  if (own !== undefined) return new Fault(own.code, `${name}: ${own.message}`, own.remedy, cause);
  return new Fault(
    'broker-certificate-refused',
    `${name} does not take our certificate (${alert})`,
    'Check that the broker knows the authority that has signed cert, and that its clock is right.',
    cause,
  );
}

/**
 * Asks a broker that has ended a connection without a word once more, and says nothing this time: in TLS 1.3 it looks at our
 * certificate when we have begun to speak already, and what it says against it is lost with the connection.
 * @returns what it says; undefined when it has nothing to say
 */
export function listenForAlert({ url, tls }: BrokerOptions): Promise<Error | undefined> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise(resolve => {
    let socket: TLSSocket;
    try {
      socket = connect({ ...tlsOptions(host, tls), port: Number(port) || PORTS[protocol] });
    } catch (error) {
      resolve(error as Error);
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LISTEN_MS);
    let said: Error | undefined;
    socket.on('error', error => {
      said = error;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
    socket.resume();
  });
}

/** Of the clock, which runs on: a fault is news whenever its text is another. */
const day = (now: number) => new Date(now).toISOString().slice(0, 10);
/** Of a certificate. */
const minute = (date: string) => `${new Date(date).toISOString().slice(0, 16)}Z`;
