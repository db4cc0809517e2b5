/** Somebody who uses the gateway's control calls: has it pause and go on, and has a backlog published at once. */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { UplinkAnswer } from '../../../host/control/calls.js';
import type { Gateway } from '../../../host/gateway.js';
import type { Gateways } from '../gateways.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { GatewayMachine } from './gateway.js';

export class Operator {
  readonly #world: World;
  readonly #gateways: Gateways;

  constructor(world: World, gateways: Gateways) {
    this.#world = world;
    this.#gateways = gateways;
    world.faults.arrivals('operator-pause', details => this.#pause(details));
    world.faults.arrivals('operator-drain', () => this.#drain());
  }

  get #machine(): GatewayMachine {
    return this.#gateways.current.machine;
  }

  /** Whatever was paused goes on. */
  settle(): void {
    const { gateway, pausedMs } = this.#machine;
    if (gateway !== undefined && pausedMs >= 0) this.#resume(this.#machine, gateway);
  }

  #pause(details: SeededRandom): void {
    const machine = this.#machine;
    const { gateway } = machine;
    // Whose control socket nobody answers.
    if (gateway === undefined) return;
    this.#answered('pause', gateway.handlers.pause({}), true);
    machine.pausedMs = this.#world.nowMs;
    this.#world.after(1000 * 3600 ** details.unit(), () => {
      if (machine.gateway === gateway && machine.pausedMs >= 0) this.#resume(machine, gateway);
    });
  }

  #resume(machine: GatewayMachine, gateway: Gateway): void {
    machine.pausedMs = -1;
    this.#answered('resume', gateway.handlers.resume({}), false);
  }

  #drain(): void {
    const { gateway, pausedMs } = this.#machine;
    if (gateway === undefined) return;
    const paused = pausedMs >= 0;
    try {
      const answer = gateway.handlers.drain({});
      if (paused) this.#fail('a paused gateway says so when it is to drain');
      this.#answered('drain', answer, false);
      if ((answer as UplinkAnswer).state === 'waiting') this.#fail('a drain connects at once');
    } catch (error) {
      if (!paused || (error as { code?: unknown }).code !== 'uplink-paused') throw error;
    }
  }

  #answered(call: string, answer: UplinkAnswer | Promise<UplinkAnswer>, paused: boolean): void {
    this.#world.trace.note('operator', call, JSON.stringify(answer));
    if ((answer as UplinkAnswer).paused !== paused) this.#fail(`${call} is answered as what it does`);
  }

  #fail(what: string): void {
    this.#world.fail(new Violation(what, this.#machine.name));
  }
}
