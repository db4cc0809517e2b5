/** A sensor that runs sovereign-sdk: one signed JSON object a line, sent once, and no word back. */
import { createHmac } from 'node:crypto';
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Wire } from '../../../firmware/ports.js';
import type { Ledger } from '../checks/ledger.js';
import { Life } from '../kernel/life.js';
import type { World } from '../kernel/world.js';
import type { BoardPort } from '../network/board-port.js';
import type { SdkKeys } from './keys.js';

export interface SdkSensorOptions {
  readonly keys: SdkKeys;
  readonly port: BoardPort;
  /** Mean ms between two readings. */
  readonly periodMs: number;
}

/** As Python prints them. */
const VALUES = ['23.0', '1e-07', '-4.25', '0', '17', '1e+16', 'true', 'null', '"a|b"', '["x",{"y":[]}]'];

export class SdkSensor {
  readonly id: string;
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #options: SdkSensorOptions;
  readonly #random: SeededRandom;
  readonly #name: string;
  #sequence = 0;
  #life: Life | undefined;
  #wire: Wire | undefined;
  #up = false;
  #hushed = false;

  constructor(world: World, ledger: Ledger, name: string, options: SdkSensorOptions) {
    this.#world = world;
    this.#ledger = ledger;
    this.#options = options;
    this.#name = name;
    this.#random = world.random(name);
    this.id = options.keys.id;
  }

  powerUp(): void {
    this.#boot();
    this.#world.faults.arrivals('board-power-cut', details => {
      this.#life?.end();
      this.#life = undefined;
      // Without its counter file it begins at 1 again.
      if (this.#options.keys.entry.sdk!.allowReset && details.below(3) === 0) this.#sequence = 0;
      this.#world.after(1_000 + details.below(30_000), () => this.#boot());
    });
  }

  hush(): void {
    this.#hushed = true;
  }

  #boot(): void {
    if (this.#life !== undefined) return;
    const life = new Life(this.#world, this.#name);
    this.#life = life;
    this.#up = false;
    this.#wire = this.#options.port.open(life, {
      up: () => {
        this.#up = true;
      },
      down: () => {
        this.#up = false;
      },
      received: () => undefined,
    });
    this.#later(life);
  }

  #later(life: Life): void {
    life.after(-Math.log(1 - this.#random.unit()) * this.#options.periodMs, () => {
      if (this.#up && !this.#hushed) this.#send();
      this.#later(life);
    });
  }

  #send(): void {
    const { node, key } = this.#options.keys;
    const random = this.#random;
    const payload = `{"unit":"°C","value":${VALUES[random.below(VALUES.length)]}}`;
    const time = `t${Math.floor(this.#world.nowMs)}`;
    const sequence = ++this.#sequence;
    const sized = (text: string) => `${Buffer.byteLength(text)}:${text}`;
    const mac = createHmac('sha256', key)
      .update(`1|${sized(node)}|${sized(time)}|${sequence}|11:hmac-sha256|${payload}`)
      .digest('hex');
    const frame = Buffer.from(
      `{"alg":"hmac-sha256","d":${payload},"n":"${node}","q":${sequence},"s":"${mac}","t":"${time}","v":1}`,
    );
    this.#ledger.sealedFrame(this.id, sequence, frame);
    const line = Buffer.concat([frame, Buffer.from('\n')]);
    this.#wire!.send(line, 0, line.length);
  }
}
