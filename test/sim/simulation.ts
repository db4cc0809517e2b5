/**
 * One run: a scenario from a seed, put together, with faults for its duration and then without, until everything that was
 * receipted has arrived. Whatever a checker finds, and whatever the product throws, ends it.
 */
import { createHash } from 'node:crypto';
import { nodeDigest } from '../../host/node/digest.js';
import { Attacker } from './actors/attacker.js';
import { Board } from './actors/board.js';
import { deviceKeys, sdkKeys } from './actors/keys.js';
import { Operator } from './actors/operator.js';
import { SdkSensor } from './actors/sdk-sensor.js';
import { SimKeyring } from './actors/sim-keyring.js';
import { SubscriberMachine } from './actors/subscriber.js';
import { heldBetween, missingOf, type Range, untold } from './checks/arrival.js';
import { Ledger } from './checks/ledger.js';
import { SessionCheck } from './checks/sessions.js';
import { SubscriberCheck } from './checks/subscriber.js';
import { Disk } from './disk/disk.js';
import { Gateways, SITE } from './gateways.js';
import type { FaultKind } from './kernel/fault-kinds.js';
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

/** How long everything may take to arrive when the faults are over. */
const LIVENESS_MS = 2 * 3_600_000;
const LOOK_MS = 5_000;

export class Simulation {
  readonly world: World;
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly broker: SimBroker;
  readonly gateways: Gateways;
  readonly operator: Operator;
  readonly boards: Board[] = [];
  readonly sensors: SdkSensor[] = [];
  readonly subscribers: { machine: SubscriberMachine; check: SubscriberCheck; disk: Disk }[] = [];
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
    const { maxQueued, receiveMaximum } = scenario;
    this.broker = new SimBroker(world, { maxQueued, receiveMaximum });
    this.#tcp = new GatewayPort(world, { name: 'tcp', kind: 'tcp' });
    this.#sdk = new GatewayPort(world, { name: 'sdk', kind: 'sdk' });
    this.#makeBoards();
    this.gateways = new Gateways(world, {
      scenario,
      ledger: this.ledger,
      broker: this.broker,
      keyring: this.#keyring,
      ports: { serial: this.#serial, tcp: this.#tcp, sdk: this.#sdk },
    });
    const { gateways } = this;
    this.operator = new Operator(world, gateways);
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
        get gateway() {
          return gateways.current.machine.name;
        },
        devices: [...this.boards, ...this.sensors].map(({ id }) => id),
        clients: this.subscribers.map(({ machine }) => machine.name),
      }).start();
    }
  }

  /** @throws what a checker found or the product threw */
  async run(): Promise<void> {
    const { world, scenario, boards, gateways } = this;
    gateways.current.machine.start();
    for (const { machine } of this.subscribers) machine.start();
    for (const board of boards) board.powerUp();
    for (const sensor of this.sensors) sensor.powerUp();
    await world.run(scenario.durationMs);
    world.trace.note('world', 'faults are over');
    world.faults.stop();
    gateways.settle();
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
    // A subscriber that has just learnt of a device wants in silence what was before, and tells of holes when they are final:
    // when the gateway's next statuses have passed them.
    await this.#until('what is lost with a gateway is told', () => untold(this));
    for (const { journal } of gateways.all) journal.final(journal !== gateways.current.journal);
  }

  get readings(): Readings {
    const { counts } = this.ledger;
    const journalled = new Set<string>();
    const destroyed = new Set<string>();
    for (const { journal } of this.gateways.all) {
      for (const reading of journal.readings()) {
        journalled.add(reading.key);
        if (reading.destroyed) destroyed.add(reading.key);
      }
    }
    let printed = 0;
    for (const { check } of this.subscribers) printed += check.counts.printed;
    return {
      sealed: counts.sealed + counts.sealedSdk,
      receipted: counts.receipted,
      journalled: journalled.size,
      printed,
      lost: counts.lost,
      destroyed: destroyed.size,
    };
  }

  /** Until everything that was sealed before `sinceMs` is where it belongs. */
  async #arrive(sinceMs: number): Promise<void> {
    await this.#until('what was receipted arrives', () => missingOf(this, sinceMs) || undefined);
  }

  /** Until nothing is lacking any more. */
  async #until(what: string, lackingNow: () => string | undefined): Promise<void> {
    const { world } = this;
    let lacking: string | undefined;
    const look = () => {
      lacking = lackingNow();
      if (lacking !== undefined) world.after(LOOK_MS, look);
    };
    look();
    await world.run(world.nowMs + LIVENESS_MS, () => lacking === undefined);
    if (lacking !== undefined) throw new Violation(what, lacking);
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

  #makeSubscribers(): void {
    const { world, broker, ledger, gateways, scenario } = this;
    const held = {
      heldBetween: (...range: Range) => heldBetween(gateways.current, range, world.nowMs),
      replaces: (name: string, from: string) => gateways.replaces(name, from),
    };
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
