/** The gateway: puts journal, intake and uplink together over the ports that it is given, and nothing else. */
import { join } from 'node:path';
import type { Digest } from '../firmware/seal/index.js';
import { type Handover, readHandover } from './backup/handover.js';
import type { BrokerAccess } from './config/load.js';
import type { Config, UplinkConfig } from './config.js';
import type { ControlHandlers } from './control/calls.js';
import { controlHandlers } from './control/handlers.js';
import { nodeStatus } from './control/node-status.js';
import { Observations, type WriteCounts } from './control/observations.js';
import { PublishedStatus } from './control/published-status.js';
import { ControlServer } from './control/server.js';
import type { HealthStatus, NodeStatus, ProcessStatus } from './control/status.js';
import type { Fault } from './fault.js';
import { Health, watched } from './health.js';
import { Intake } from './intake/intake.js';
import { firstSdkEpoch } from './intake/sdk-intake.js';
import { Cursor } from './journal/cursor.js';
import type { Damage } from './journal/entry.js';
import { Journal } from './journal/journal.js';
import type { KeyringView } from './keyring/entry.js';
import { MetricsServer } from './metrics/server.js';
import type { Conditions } from './panel/led.js';
import { Panel, type PanelPorts } from './panel/panel.js';
import type { Broker, BrokerOptions, Clock, LinkSource, Log, LogControl, Random, Storage } from './ports.js';
import type { HomeAssistant } from './uplink/homeassistant/home-assistant.js';
import { openHomeAssistant } from './uplink/homeassistant/open.js';
import { Uplink } from './uplink/uplink.js';
import type { HttpSource } from './web/ports.js';
import { type WebOptions, type WebPorts, WebServer } from './web/server.js';

export interface GatewayPorts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absent: people can't look at the log or set its level. */
  readonly logControl?: LogControl;
  /** What is written to the disk; absent: nothing is observed by itself, and the retained status is of the uplink alone. */
  readonly writes?: WriteCounts;
  readonly digest: Digest;
  readonly broker: Broker;
  /** `fault`: why the file as it is now is not used. */
  readonly keyring: KeyringView & { readonly fault?: Fault | undefined };
  /** Where devices come in; serial ports first, since they can't fail to begin. */
  readonly serial: readonly LinkSource[];
  readonly tcp?: LinkSource;
  readonly mqtt?: LinkSource;
  readonly sdk?: LinkSource;
  readonly control: LinkSource;
  readonly metrics?: HttpSource;
  /** GPIO, and how the gateway's own device gets into the keyring. */
  readonly panel?: Pick<PanelPorts, 'lines' | 'enrol'>;
  readonly web?: Pick<WebPorts, 'source' | 'files'> & { readonly options: WebOptions };
}

/** What the process knows and the gateway repeats in its status. */
export interface GatewayFacts {
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly process?: () => ProcessStatus;
  /** What a write to the disk may take before it counts as hanging; 30 s. */
  readonly hangMs?: number;
}

const DAY_MS = 86_400_000;
const UPLINK_CURSOR = 'uplink';

export class Gateway {
  readonly #config: Config;
  readonly #facts: GatewayFacts;
  readonly #ports: GatewayPorts;
  readonly #journal: Journal;
  readonly #cursor: Cursor;
  readonly #intake: Intake;
  readonly #homeAssistant: HomeAssistant | undefined;
  readonly #uplink: Uplink | undefined;
  readonly #observations: Observations;
  readonly #published: PublishedStatus;
  /** What can be asked of it, over whatever way. */
  readonly handlers: ControlHandlers;
  readonly #control: ControlServer;
  readonly #health: Health;
  readonly #metrics: MetricsServer | undefined;
  readonly #web: WebServer | undefined;
  readonly #handover: Handover | undefined;
  #panel: Panel | undefined;
  readonly #startedAt: number;
  readonly #startedMs: number;

  private constructor(
    config: Config,
    facts: GatewayFacts,
    ports: GatewayPorts,
    parts: {
      journal: Journal;
      cursor: Cursor;
      intake: Intake;
      access: BrokerAccess;
      homeAssistant: HomeAssistant | undefined;
      handover: Handover | undefined;
    },
  ) {
    this.#config = config;
    this.#facts = facts;
    this.#ports = ports;
    this.#journal = parts.journal;
    this.#cursor = parts.cursor;
    this.#intake = parts.intake;
    this.#homeAssistant = parts.homeAssistant;
    this.#handover = parts.handover;
    const { clock, log, metrics: source } = ports;
    this.#metrics =
      config.metrics &&
      source &&
      new MetricsServer({ clock, log, source }, config.metrics.maxDevices, () => this.status());
    this.#startedAt = ports.clock.now();
    this.#startedMs = ports.clock.monotonic();
    this.#uplink = config.uplink && this.#makeUplink(config.uplink, parts.access);
    const { journal, intake } = parts;
    const disk = () => ports.storage.space(config.dataDirectory);
    this.#health = new Health(
      ports.clock,
      watched({ intake, journal, uplink: this.#uplink, disk }, facts.hangMs, config.uplink?.connectTimeoutMs),
    );
    this.#observations = new Observations(
      ports,
      {
        directory: config.dataDirectory,
        gateway: config.gateway,
        enduranceBytes: config.journal.enduranceBytes,
      },
      journal.extent,
      () => this.#uplink?.state.backlog ?? 0,
    );
    this.#published = new PublishedStatus(clock, () => this.#status());
    this.handlers = controlHandlers({
      status: () => this.status(),
      backlog: () => this.#observations.backlog,
      cursors: { [UPLINK_CURSOR]: parts.cursor },
      keyring: ports.keyring,
      intake,
      journal,
      uplink: this.#uplink,
      logControl: ports.logControl,
    });
    this.#control = new ControlServer({ clock, log, source: ports.control }, this.handlers);
    const { site, gateway } = config;
    this.#web =
      ports.web &&
      new WebServer(
        { clock, log, digest: ports.digest, ...ports.web },
        ports.web.options,
        { version: facts.version, site, gateway },
        this.handlers,
      );
  }

  /**
   * Recovers what is stored, then lets devices in and publishes. The caller holds the lock of the data directory.
   * @throws Fault when a store or a listener can't be used; whatever had begun is stopped again
   */
  static async start(
    config: Config,
    access: BrokerAccess,
    facts: GatewayFacts,
    ports: GatewayPorts,
  ): Promise<Gateway> {
    const { storage } = ports;
    const { segmentBytes, maxPendingBytes, reserveBytes, retainDays, retainBytes } = config.journal;
    const within = (name: string) => join(config.dataDirectory, name);
    const handover = await readHandover(storage, config.dataDirectory, config.gateway, reason =>
      ports.log.error('handover-unreadable', { reason }),
    );
    const cursor = await Cursor.open(storage, within('cursors'), UPLINK_CURSOR);
    let journal: Journal | undefined;
    let gateway: Gateway;
    try {
      journal = await Journal.open(
        ports,
        {
          directory: within('journal'),
          segmentBytes,
          maxPendingBytes,
          reserveBytes,
          retainMs: retainDays * DAY_MS,
          retainBytes,
          ...(handover && { jumps: handover.hops }),
        },
        [cursor],
      );
      const intake = await Intake.open(ports, journal, ports.keyring, {
        quarantineDirectory: within('quarantine'),
        evidenceDirectory: within('evidence'),
        ...config.quarantine,
        settingsDirectory: config.dataDirectory,
        devices: config.devices,
        firstSdkEpoch: firstSdkEpoch(journal.era, config.gateway, ports.digest),
      });
      const replaces = handover?.status.replaces;
      const homeAssistant = await openHomeAssistant({ ...ports, journal }, config, facts.version, replaces);
      gateway = new Gateway(config, facts, ports, {
        ...{ journal, cursor, intake, access, homeAssistant, handover },
      });
    } catch (error) {
      // Its timers would keep a process that serves nobody, beside the next owner of the directory.
      await journal?.close();
      await cursor.close();
      throw error;
    }
    try {
      await gateway.#open();
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return gateway;
  }

  /** Whether it does its work. Each call is a look; the time between two of them does not matter. */
  health(): HealthStatus {
    return this.#health.state();
  }

  async status(): Promise<NodeStatus> {
    await this.#observations.refresh();
    return this.#status();
  }

  #status(): NodeStatus {
    const { clock, keyring, logControl } = this.#ports;
    return nodeStatus({
      ...this.#facts,
      process: this.#facts.process?.(),
      config: this.#config,
      startedAt: this.#startedAt,
      uptimeMs: clock.monotonic() - this.#startedMs,
      handover: this.#handover?.status,
      health: this.health(),
      now: clock.now(),
      ...(clock.synchronised !== undefined && { synchronised: clock.synchronised }),
      keyring,
      intake: this.#intake.status(),
      journal: this.#journal,
      observed: this.#observations,
      ...(logControl && { logLevel: logControl.level }),
      ...(this.#uplink && { uplink: this.#uplink.state }),
    });
  }

  /** Devices are let go first, so that nothing comes in while the journal writes what it has taken. */
  async stop(): Promise<void> {
    this.#observations.stop();
    await this.#control.stop();
    await this.#metrics?.stop();
    await this.#web?.stop();
    await this.#panel?.close();
    await this.#intake.stop();
    await this.#uplink?.close();
    await this.#homeAssistant?.close();
    await this.#journal.close();
    await this.#cursor.close();
  }

  async #open(): Promise<void> {
    const { serial, tcp, mqtt, sdk } = this.#ports;
    const { links } = this.#config;
    await this.#control.start();
    await this.#metrics?.start();
    await this.#web?.start();
    for (const source of serial) await this.#intake.listen(source);
    if (tcp && links.tcp) await this.#intake.listenTcp(tcp, links.tcp.maxUnauthenticated);
    if (mqtt && links.mqtt) await this.#intake.listenTcp(mqtt, links.mqtt.maxUnauthenticated);
    if (sdk) await this.#intake.listenSdk(sdk);
    this.#uplink?.start();
    void this.#observations.start();
    await this.#startPanel();
  }

  async #startPanel(): Promise<void> {
    const { panel } = this.#ports;
    const { panel: config, dataDirectory } = this.#config;
    if (panel === undefined || config === undefined) return;
    const listen = (source: LinkSource) => this.#intake.listen(source);
    this.#panel = await Panel.start(
      { ...this.#ports, ...panel, listen, conditions: () => this.#conditions() },
      { config, directory: join(dataDirectory, 'own-device'), version: this.#facts.version },
    );
  }

  #conditions(): Conditions {
    const uplink = this.#uplink?.state;
    return {
      healthy: this.health().ok,
      storing: this.#journal.state.name === 'ok',
      ...(uplink && {
        uplink: {
          online: uplink.name === 'online',
          paused: uplink.paused,
          backlog: uplink.backlog,
        },
      }),
    };
  }

  #makeUplink(uplink: UplinkConfig, access: BrokerAccess): Uplink {
    const { broker, clock, random, log } = this.#ports;
    const options: Omit<BrokerOptions, 'clientId' | 'will' | 'cleanStart'> = {
      url: uplink.broker,
      protocol: uplink.protocol,
      keepAliveSeconds: uplink.keepAliveSeconds,
      connectTimeoutMs: uplink.connectTimeoutMs,
      ...access,
    };
    return new Uplink(
      {
        broker,
        journal: this.#journal,
        archive: this.#journal,
        cursor: this.#cursor,
        companion: this.#homeAssistant,
        clock,
        random,
        log,
      },
      {
        broker: options,
        site: this.#config.site,
        gateway: this.#config.gateway,
        window: uplink.window,
        replayPerSecond: uplink.replayPerSecond,
        fetchPerSecond: uplink.fetchPerSecond,
        readingTopic: uplink.readingTopic,
        order: uplink.order,
        batch: uplink.batch,
        damaged: damage => this.#keep(damage),
        said: maxPacketBytes => ({
          ...(this.#handover && { replaces: this.#handover.status.replaces }),
          ...this.#retained(maxPacketBytes),
        }),
      },
    );
  }

  /** Where nothing is observed, the uplink's own word is enough. */
  #retained(maxPacketBytes: number | undefined): { node?: NodeStatus } {
    const node = this.#ports.writes && this.#published.of(maxPacketBytes);
    return node === undefined ? {} : { node };
  }

  /** What the medium has destroyed is kept aside, for whoever wants to make something of it. */
  #keep({ reason, segment, at, bytes, detail, copy }: Damage): void {
    this.#ports.log.error('journal-damaged', { reason, segment, at, bytes, detail });
    this.#intake.quarantine.add(
      { reason: `journal-${reason}`, link: segment, detail, authentic: true },
      copy,
      0,
      copy.length,
    );
  }
}
