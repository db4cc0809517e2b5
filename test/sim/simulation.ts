/**
 * One run: a scenario from a seed, put together, with faults for its duration and then without, until everything that was
 * receipted has arrived. Whatever a checker finds, and whatever the product throws, ends it.
 */
import { createHash } from 'node:crypto';
import type { NamedSourceSettings } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { MqttLinkSource } from '../../host/node/mqtt-link.js';
import { Attacker } from './actors/attacker.js';
import { Board } from './actors/board.js';
import { DATA_DIRECTORY, GatewayMachine } from './actors/gateway.js';
import { drawSettings, type GatewaySettings } from './actors/gateway-settings.js';
import { deviceKeys, sdkKeys } from './actors/keys.js';
import { Operator } from './actors/operator.js';
import { SdkSensor } from './actors/sdk-sensor.js';
import { SimKeyring } from './actors/sim-keyring.js';
import { SubscriberMachine } from './actors/subscriber.js';
import { heldBetween, missingOf, type Range } from './checks/arrival.js';
import { JournalCheck } from './checks/journal.js';
import { Ledger } from './checks/ledger.js';
import { PublishCheck } from './checks/publish-order.js';
import { SessionCheck } from './checks/sessions.js';
import { SubscriberCheck } from './checks/subscriber.js';
import { Disk } from './disk/disk.js';
import type { FaultKind } from './kernel/fault-kinds.js';
import type { Life } from './kernel/life.js';
import { Violation } from './kernel/violation.js';
import { World } from './kernel/world.js';
import {
  type BoardPort,
  mqttBoardPort,
  sdkBoardPort,
  serialBoardPort,
  tcpBoardPort,
} from './network/board-port.js';
import { GatewayPort } from './network/gateway-port.js';
import { SimBroker } from './network/sim-broker.js';
import { type LinkKind, type Reduction, type Scenario, scenarioOf } from './scenario.js';

export interface SimulateOptions {
  readonly trace?: boolean;
  readonly reduction?: Reduction;
  /** Instead of the seed's own. */
  readonly scenario?: Scenario;
}

export interface Failure {
  /** The guarantee, or `crash`: the product threw what nobody caught. */
  readonly what: string;
  readonly details: string;
  readonly crash: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly violation?: Failure;
  readonly virtualMs: number;
  readonly events: number;
  readonly boards: number;
  readonly injected: Readonly<Partial<Record<FaultKind, number>>>;
  readonly faults: readonly string[];
  readonly readings: Readings;
  readonly traceHash: string;
  readonly trace: readonly string[];
}

export interface Readings {
  readonly sealed: number;
  readonly receipted: number;
  readonly journalled: number;
  /** Over all subscribers. */
  readonly printed: number;
  /** Given up by devices, counted and named. */
  readonly lost: number;
  /** Destroyed by the medium, after they were durable. */
  readonly destroyed: number;
}

const SITE = 'site';
const GATEWAY = 'gateway';
/** How long everything may take to arrive when the faults are over. */
const LIVENESS_MS = 2 * 3_600_000;
const LOOK_MS = 5_000;

export class Simulation {
  readonly world: World;
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly disk: Disk;
  readonly broker: SimBroker;
  readonly gateway: GatewayMachine;
  readonly operator: Operator;
  readonly journal: JournalCheck;
  readonly published: PublishCheck;
  readonly boards: Board[] = [];
  readonly sensors: SdkSensor[] = [];
  readonly subscribers: { machine: SubscriberMachine; check: SubscriberCheck; disk: Disk }[] = [];
  readonly #settings: GatewaySettings;
  readonly #keyring = new SimKeyring();
  readonly #serial: GatewayPort[] = [];
  readonly #tcp: GatewayPort;
  readonly #sdk: GatewayPort;

  constructor(scenario: Scenario, options: SimulateOptions = {}) {
    this.scenario = scenario;
    const { seed, rates } = scenario;
    const masked = options.reduction?.masked;
    const world = new World({
      seed,
      faults: { rates, ...(masked && { masked }) },
      trace: options.trace ?? false,
    });
    this.world = world;
    this.ledger = new Ledger(world);
    this.disk = new Disk(world, { name: 'disk' });
    this.#settings = drawSettings(world.derive(`${GATEWAY} settings`));
    this.journal = new JournalCheck(world, this.disk, {
      dataDirectory: DATA_DIRECTORY,
      limits: this.#settings.quarantine,
      ledger: this.ledger,
    });
    this.ledger.journals = this.journal;
    this.published = new PublishCheck(world);
    this.published.onAcknowledged = payload => this.journal.published(payload);
    // A destroyed snapshot takes positions with it: then a copy of a device may come in with what is older.
    this.published.excused = (...place) => this.journal.damaged || this.journal.isDestroyed(...place);
    this.published.pausedMs = () => this.gateway.pausedMs;
    this.published.durableMs = payload => this.journal.durableMs(payload);
    this.published.order = this.#settings.uplink.order;
    const { maxQueued, receiveMaximum } = scenario;
    this.broker = new SimBroker(world, { maxQueued, receiveMaximum, observer: this.published });
    this.#tcp = new GatewayPort(world, { name: 'tcp', kind: 'tcp' });
    this.#sdk = new GatewayPort(world, { name: 'sdk', kind: 'sdk' });
    this.#makeBoards();
    this.gateway = this.#makeGateway();
    this.operator = new Operator(world, this.gateway);
    this.#makeSubscribers();
    if (scenario.attacker) {
      const sessions = new SessionCheck(
        world,
        scenario.boards.map((_, i) => deviceKeys(i)),
      );
      for (const port of [...this.#serial, this.#tcp]) sessions.watch(port);
      new Attacker(world, {
        ports: [...this.#serial, this.#tcp, this.#sdk],
        broker: this.broker,
        site: SITE,
        gateway: GATEWAY,
        devices: [...this.boards, ...this.sensors].map(({ id }) => id),
        clients: this.subscribers.map(({ machine }) => machine.name),
      }).start();
    }
  }

  /** @throws what a checker found or the product threw */
  async run(): Promise<void> {
    const { world, scenario, boards, gateway } = this;
    gateway.start();
    for (const { machine } of this.subscribers) machine.start();
    for (const board of boards) board.powerUp();
    for (const sensor of this.sensors) sensor.powerUp();
    await world.run(scenario.durationMs);
    world.trace.note('world', 'faults are over');
    world.faults.stop();
    gateway.heal();
    this.operator.settle();
    for (const board of boards) {
      // Somebody finds out where the copy is.
      if (board.name.startsWith('clone')) board.retire();
      board.heal();
    }
    for (const { machine } of this.subscribers) machine.settle();
    if (!scenario.lively) this.#hush();
    await this.#arrive(scenario.durationMs);
    this.#hush();
    await this.#arrive(world.nowMs);
    for (const board of boards) board.check.held();
    this.journal.final();
  }

  get readings(): Readings {
    const { counts } = this.ledger;
    let journalled = 0;
    let destroyed = 0;
    for (const reading of this.journal.readings()) {
      journalled++;
      if (reading.destroyed) destroyed++;
    }
    let printed = 0;
    for (const { check } of this.subscribers) printed += check.counts.printed;
    return {
      sealed: counts.sealed + counts.sealedSdk,
      receipted: counts.receipted,
      journalled,
      printed,
      lost: counts.lost,
      destroyed,
    };
  }

  /** Until everything that was sealed before `sinceMs` is where it belongs. */
  async #arrive(sinceMs: number): Promise<void> {
    const { world } = this;
    let lacking = '';
    let arrived = false;
    const look = () => {
      lacking = missingOf(this, sinceMs);
      arrived = lacking === '';
      if (!arrived) world.after(LOOK_MS, look);
    };
    look();
    await world.run(world.nowMs + LIVENESS_MS, () => arrived);
    if (!arrived) throw new Violation('what was receipted arrives', lacking);
  }

  #hush(): void {
    for (const board of this.boards) board.hush();
    for (const sensor of this.sensors) sensor.hush();
  }

  #makeBoards(): void {
    const { world, ledger, scenario } = this;
    scenario.boards.forEach((plan, i) => {
      const keys = deviceKeys(i);
      this.#keyring.add(keys.entry);
      const board = new Board(world, ledger, `board-${i}`, {
        ...plan,
        keys,
        port: this.#port(plan.link, keys.id),
      });
      this.boards.push(board);
      const { clone } = plan;
      if (clone === undefined) return;
      // Its own port is there from the beginning: a gateway's serial ports don't come and go.
      const port = this.#port(clone.link, keys.id);
      world.at(clone.atMs, () => {
        if (world.faults.hit('board-clone', board.name) === undefined) return;
        const copy = new Board(world, ledger, `clone-${i}`, { ...plan, keys, port, copyOf: board.copy() });
        this.boards.push(copy);
        copy.powerUp();
      });
    });
    scenario.sdk.forEach((plan, i) => {
      const keys = sdkKeys(i, plan.allowReset);
      this.#keyring.add(keys.entry);
      const port = sdkBoardPort(this.#sdk);
      this.sensors.push(new SdkSensor(world, ledger, `sdk-${i}`, { ...plan, keys, port }));
    });
  }

  #port(link: LinkKind, id: string): BoardPort {
    if (link === 'mqtt') return mqttBoardPort(this.broker, id);
    if (link === 'tcp') return tcpBoardPort(this.#tcp);
    const port = new GatewayPort(this.world, { name: `serial:${this.#serial.length}`, kind: 'serial' });
    this.#serial.push(port);
    return serialBoardPort(port);
  }

  #makeGateway(): GatewayMachine {
    const { world, broker, disk, journal, scenario } = this;
    const devices = new Map<string, readonly NamedSourceSettings[]>();
    scenario.boards.forEach(({ settings }, i) => {
      if (settings !== undefined) devices.set(deviceKeys(i).id, settings);
    });
    const mqtt = scenario.boards.some(({ link, clone }) => link === 'mqtt' || clone?.link === 'mqtt');
    return new GatewayMachine(world, {
      name: GATEWAY,
      site: SITE,
      disk,
      keyring: this.#keyring,
      check: journal,
      broker: life => broker.port(life),
      links: (life, clock) => ({
        serial: this.#serial.map(port => port.source(life)),
        tcp: this.#tcp.source(life),
        ...(scenario.sdk.length > 0 && { sdk: this.#sdk.source(life) }),
        ...(mqtt && { mqtt: this.#mqttLinks(life, clock) }),
      }),
      settings: this.#settings,
      devices,
    });
  }

  #mqttLinks(life: Life, clock: ConstructorParameters<typeof MqttLinkSource>[1]['clock']): MqttLinkSource {
    const { world, broker } = this;
    const random = world.random('mqtt-link');
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const { protocol, keepAliveSeconds, connectTimeoutMs } = this.gateway.config.links.mqtt!;
    return new MqttLinkSource(
      {
        broker: {
          url: 'mqtt://broker.test',
          clientId: `sovereign-${GATEWAY}-link`,
          protocol,
          keepAliveSeconds,
          connectTimeoutMs,
        },
        maxLinks: 16,
      },
      { broker: broker.port(life), clock, random: { fill: target => random.fill(target) }, log },
    );
  }

  #makeSubscribers(): void {
    const { world, broker, ledger, journal, scenario } = this;
    const held = { heldBetween: (...range: Range) => heldBetween(journal, range, world.nowMs) };
    scenario.subscribers.forEach(({ habit, protocol }, i) => {
      const name = `subscriber-${i}`;
      const check = new SubscriberCheck(world, name, ledger, held);
      const own = new Disk(world, { name: `${name} disk` });
      const machine = new SubscriberMachine(world, {
        name,
        broker,
        disk: own,
        keyring: this.#keyring,
        digest: nodeDigest,
        habit,
        check,
        protocol,
      });
      this.subscribers.push({ machine, check, disk: own });
    });
  }
}

export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Outcome> {
  let simulation: Simulation | undefined;
  let violation: Failure | undefined;
  const scenario = options.scenario ?? scenarioOf(seed, options.reduction);
  const rejected = (error: unknown) => simulation?.world.fail(error);
  process.on('unhandledRejection', rejected);
  try {
    simulation = new Simulation(scenario, options);
    await simulation.run();
  } catch (error) {
    violation = failureOf(error);
  } finally {
    process.off('unhandledRejection', rejected);
  }
  if (simulation === undefined) throw new Error(`seed ${seed}: ${violation?.details}`);
  const { world } = simulation;
  if (violation !== undefined)
    world.trace.note('world', 'VIOLATION', `${violation.what}: ${violation.details}`);
  const { readings } = simulation;
  const injected = Object.fromEntries(world.faults.injected);
  const hash = createHash('sha256');
  hash.update(JSON.stringify([world.nowMs, world.events, readings, injected, violation?.what]));
  for (const device of simulation.ledger.devices())
    for (const { tag8, receiptedMs } of simulation.ledger.readings(device))
      hash.update(`${tag8} ${receiptedMs}`);
  for (const line of world.trace.lines) hash.update(line);
  return {
    seed,
    ...(violation && { violation }),
    virtualMs: world.nowMs,
    events: world.events,
    boards: simulation.boards.length,
    injected,
    faults: world.faults.ids,
    readings,
    traceHash: hash.digest('hex').slice(0, 16),
    trace: world.trace.lines,
  };
}

function failureOf(error: unknown): Failure {
  if (error instanceof Violation)
    return { what: error.what, details: error.message.slice(error.what.length + 2), crash: false };
  const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { what: 'crash', details, crash: true };
}
