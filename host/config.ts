/**
 * The configuration: one YAML file, parsed once and whole. `config/schema.ts` says what may stand in
 * it, `config/conflicts.ts` which limits hold between settings, `config/document.ts` how problems get their
 * lines; here are the types that the program uses.
 */
import { dirname, resolve } from 'node:path';
import type { NamedSourceSettings } from '../firmware/seal/index.js';
import { conflicts } from './config/conflicts.js';
import { settingsList } from './config/devices.js';
import { type Problem, pathText, problemsFault, readDocument } from './config/document.js';
import type { HomeAssistantConfig, PanelConfig } from './config/panel.js';
import { type ConfigDocument, configSchema, LISTEN } from './config/schema.js';
import { isLoopback } from './config/web.js';

export interface Config {
  /** Absolute. */
  readonly file: string;
  readonly site: string;
  readonly gateway: string;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Absolute. */
  readonly keyringFile: string;
  readonly links: LinksConfig;
  readonly journal: JournalConfig;
  /** Absent: nothing is published; the journal alone grows. */
  readonly uplink?: UplinkConfig;
  readonly quarantine: QuarantineConfig;
  /** Absent: none are served. */
  readonly metrics?: MetricsConfig;
  /** Absent: there is no page. */
  readonly web?: WebConfig;
  /** Absent: Home Assistant is told nothing. */
  readonly homeAssistant?: HomeAssistantConfig;
  readonly panel?: PanelConfig;
  /** What the sources of devices are told, by the device's id or name. */
  readonly devices: ReadonlyMap<string, readonly NamedSourceSettings[]>;
  readonly log: {
    readonly level: LogLevel;
    /** `auto`: text at a terminal and for journald, JSON otherwise. */
    readonly format: 'auto' | 'text' | 'json';
  };
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LinksConfig {
  readonly serial: readonly SerialConfig[];
  readonly tcp?: TcpConfig;
  readonly sdk?: SdkConfig;
  readonly mqtt?: MqttLinkConfig;
}

export interface SerialConfig {
  readonly port: string;
  readonly baud: number;
}

/** Where a listener binds; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface TcpConfig {
  readonly listen: ListenAddress;
  readonly maxConnections: number;
  readonly maxUnauthenticated: number;
}

export interface SdkConfig {
  readonly listen: ListenAddress;
  readonly maxConnections: number;
}

export interface JournalConfig {
  readonly segmentBytes: number;
  readonly maxPendingBytes: number;
  /** Kept free on the disk: below it, devices keep their readings. 0: until the disk is full. */
  readonly reserveBytes: number;
  /** 0: for ever. */
  readonly retainDays: number;
  /** 0: no limit. */
  readonly retainBytes: number;
  /** What the disk takes before it wears out, as its maker says; absent: not known. */
  readonly enduranceBytes?: number;
}

/** A connection to a broker. */
export interface BrokerConfig {
  readonly broker: string;
  readonly protocol: '3.1.1' | '5';
  readonly username?: string;
  readonly password?: string;
  /** Absolute, like `ca`, `cert` and `key`; `readBrokerAccess` reads them. */
  readonly passwordFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly keepAliveSeconds: number;
  readonly connectTimeoutMs: number;
}

/** Links of devices over a broker, which is the uplink's unless another is named. */
export interface MqttLinkConfig extends BrokerConfig {
  readonly maxDevices: number;
  readonly maxUnauthenticated: number;
}

export interface UplinkConfig extends BrokerConfig {
  /** Messages in flight. */
  readonly window: number;
  /** 0: no limit. */
  readonly replayPerSecond: number;
  /** Readings for subscribers that miss some; 0: none. */
  readonly fetchPerSecond: number;
  readonly readingTopic: boolean;
  readonly order: 'oldest-first' | 'live-first';
  /** A backlog goes many readings at a time, on a topic of its own. */
  readonly batch: boolean;
}

export interface QuarantineConfig {
  readonly maxBytes: number;
  readonly perReasonBytes: number;
  readonly perDeviceBytes: number;
  readonly unauthenticatedPerDayBytes: number;
  /** Of fork evidence, which has a store of its own. */
  readonly evidenceBytes: number;
  /** While the disk has less than this free, nothing is put into quarantine. */
  readonly reserveBytes: number;
}

export interface MetricsConfig {
  readonly listen: ListenAddress;
  /** Told one by one. */
  readonly maxDevices: number;
  /** As for the page; beyond loopback, none of them: whatever name it is asked by. */
  readonly names: readonly string[];
}

/** The page. */
export interface WebConfig {
  readonly listen: ListenAddress;
  readonly token?: string;
  /** Absolute, like `cert` and `key`; `readWebAccess` reads them. */
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Nothing is shown without the token: other machines reach it, and nobody said that this does not matter. */
  readonly guarded: boolean;
  /** Names of this machine, beside its addresses and its own host name. */
  readonly names: readonly string[];
}

export const MAX_CONFIG_BYTES = 256 * 1024;

/**
 * Parses the text of a configuration.
 * @param file its absolute path: relative paths in it are relative to its directory
 * @throws Fault `config-invalid` that lists every problem with its line
 */
export function parseConfig(text: string, file: string): Config {
  const reading = readDocument(text, configSchema, { maxLength: MAX_CONFIG_BYTES });
  const problems: Problem[] = [
    ...reading.problems,
    ...conflicts(reading.raw).map(({ path, text }) => ({
      line: reading.lineOf(path),
      text: `${pathText(path)}: ${text}`,
    })),
  ];
  if (problems.length > 0 || reading.value === undefined) {
    throw problemsFault('config-invalid', file, problems, `mend these lines in ${file}`);
  }
  return assemble(reading.value, file);
}

function assemble(document: ConfigDocument, file: string): Config {
  const { links, uplink, metrics, web, homeAssistant, panel } = document;
  const absolute = (path: string) => resolve(dirname(file), path);
  return {
    file,
    site: document.site,
    gateway: document.gateway,
    dataDirectory: absolute(document.data),
    keyringFile: absolute(document.keyring),
    links: {
      serial: links.serial,
      ...(links.tcp && { tcp: { ...links.tcp, listen: address(links.tcp.listen) } }),
      ...(links.mqtt && { mqtt: mqttLink(links.mqtt, uplink, absolute) }),
      ...(links.sdk && { sdk: { ...links.sdk, listen: address(links.sdk.listen) } }),
    },
    journal: journalOf(document.journal),
    ...(uplink && {
      uplink: {
        ...brokerOf(uplink.broker, uplink, absolute),
        window: uplink.window,
        replayPerSecond: uplink.replayPerSecond,
        fetchPerSecond: uplink.fetchPerSecond,
        readingTopic: uplink.readingTopic,
        order: uplink.order,
        batch: uplink.batch,
      },
    }),
    quarantine: document.quarantine,
    ...(metrics && { metrics: { ...metrics, listen: address(metrics.listen) } }),
    ...(web && { web: webConfig(web, absolute) }),
    ...(homeAssistant && { homeAssistant }),
    ...(panel && { panel }),
    devices: new Map(
      Object.entries(document.devices).map(([device, { sources }]) => [device, settingsList(sources)]),
    ),
    log: document.log,
  };
}

function journalOf({ enduranceBytes, ...journal }: ConfigDocument['journal']): JournalConfig {
  return { ...journal, ...(enduranceBytes !== undefined && { enduranceBytes }) };
}

type BrokerDocument = Omit<
  NonNullable<ConfigDocument['uplink']>,
  'broker' | 'window' | 'replayPerSecond' | 'fetchPerSecond' | 'readingTopic' | 'order' | 'batch'
>;

function brokerOf(broker: string, given: BrokerDocument, absolute: (path: string) => string): BrokerConfig {
  const { username, password, passwordFile, ca, cert, key } = given;
  return {
    broker,
    protocol: given.protocol,
    keepAliveSeconds: given.keepAliveSeconds,
    connectTimeoutMs: given.connectTimeoutMs,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(passwordFile !== undefined && { passwordFile: absolute(passwordFile) }),
    ...(ca !== undefined && { ca: absolute(ca) }),
    ...(cert !== undefined && { cert: absolute(cert) }),
    ...(key !== undefined && { key: absolute(key) }),
  };
}

/** Without a broker of its own, everything about the broker is as the uplink has it. */
function mqttLink(
  mqtt: NonNullable<ConfigDocument['links']['mqtt']>,
  uplink: ConfigDocument['uplink'],
  absolute: (path: string) => string,
): MqttLinkConfig {
  const { maxDevices } = mqtt;
  const own = mqtt.broker === undefined ? uplink : mqtt;
  return {
    ...brokerOf(own?.broker ?? '', own ?? mqtt, absolute),
    maxDevices,
    maxUnauthenticated: Math.min(mqtt.maxUnauthenticated, maxDevices),
  };
}

function webConfig(web: NonNullable<ConfigDocument['web']>, absolute: (path: string) => string): WebConfig {
  const { token, tokenFile, cert, key, insecure, names } = web;
  const listen = address(web.listen);
  return {
    listen,
    ...(token !== undefined && { token }),
    ...(tokenFile !== undefined && { tokenFile: absolute(tokenFile) }),
    ...(cert !== undefined && { cert: absolute(cert) }),
    ...(key !== undefined && { key: absolute(key) }),
    guarded: !insecure && !isLoopback(listen.host),
    names,
  };
}

function address(text: string): ListenAddress {
  const [, six, host, port] = LISTEN.exec(text) ?? [];
  return { host: six ?? host ?? '127.0.0.1', port: Number(port) };
}
