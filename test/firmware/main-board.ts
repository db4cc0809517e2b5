/// <reference path="../../firmware/native/chip/chip.d.ts" />
/// <reference path="../../firmware/native/digest/digest.d.ts" />
/// <reference path="../../firmware/native/random/random.d.ts" />
/// <reference path="../../firmware/native/usb/usb.d.ts" />
/** `firmware/main.ts` itself on the virtual board, and a host at the other end of its cable. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';
import ts from 'typescript';
import type { VirtualMachine } from '../../boards/virtual/machine.js';
import * as nativeDigest from '../../boards/virtual/native-digest.js';
import {
  type BoardAnswer,
  decodeBoard,
  decodeProvisioned,
  EnvelopeReader,
  encodeProvision,
  FrameDecoder,
  FrameEncoder,
  Kind,
  type Provision,
  type Provisioned,
  ProvisioningType,
  readRecords,
} from '../../firmware/seal/index.js';
import { TestGateway } from './gateway.js';

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..'));
const STEP_MS = 10;

/** What stands for a native module has its exports: the compiler compares. */
export interface Native {
  chip: typeof import('native/chip');
  digest: typeof import('native/digest');
  random: typeof import('native/random');
  usb: typeof import('native/usb');
}
export const natives = ({ chip, entropy, usb }: VirtualMachine): Native => ({
  chip,
  digest: nativeDigest,
  random: entropy,
  usb,
});

/** The name by which the script of `bundleMain` finds a module that is not its own. */
export const globalOf = (module: string) => `board_${module.replace(/\W/g, '_')}`;

/** The main program and all of the firmware that it imports, as one script. */
export async function bundleMain(): Promise<string> {
  const main = join(root, 'build', 'firmware', 'main.js');
  const build = await rollup({
    input: main,
    external: specifier => /^(boards\/this\/pins|native\/\w+|timer)$/.test(specifier),
    plugins: [
      {
        name: 'main',
        resolveId: id => (id === main ? id : null),
        load(id) {
          if (id !== main) return null;
          const text = readFileSync(join(root, 'firmware', 'main.ts'), 'utf8');
          const { ESNext: module } = ts.ModuleKind;
          const { ES2022: target } = ts.ScriptTarget;
          return ts.transpileModule(text, { compilerOptions: { module, target, verbatimModuleSyntax: true } })
            .outputText;
        },
      },
    ],
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  try {
    const { output } = await build.generate({
      format: 'iife',
      strict: true,
      interop: 'default',
      globals: globalOf,
    });
    return output[0].code;
  } finally {
    await build.close();
  }
}

/** What the program leaves in its global object, for the engine. */
export interface Globals {
  abort?: (reason: string) => void;
}

/** A start of the program, with a global object of its own. */
export function programOf(script: string, machine: VirtualMachine, globals: Globals): () => void {
  const names = Object.keys(machine.modules);
  const program = new Function('globalThis', ...names.map(globalOf), script);
  return () => program(globals, ...names.map(name => machine.modules[name]));
}

/** Who has the cable: `sovereign device provision`, then the gateway. */
export class Host {
  readonly machine: VirtualMachine;
  readonly gateway: TestGateway;
  /** Whether it takes what comes. */
  reads = true;
  /** The lines for people. */
  text = '';
  readonly #encoder = new FrameEncoder();
  readonly #decoder: FrameDecoder;
  readonly #latin = new TextDecoder('latin1');
  #answers: (BoardAnswer | Provisioned | undefined)[] = [];

  constructor(machine: VirtualMachine, { id, chain, down }: Provision) {
    this.machine = machine;
    const now = () => machine.chip.nowMs;
    this.gateway = new TestGateway({ chain, down }, id, now, frame => machine.usb.put(frame));
    this.#decoder = new FrameDecoder((type, buffer, from, to) => {
      if (type === ProvisioningType.board) this.#answers.push(decodeBoard(buffer, from, to));
      if (type === ProvisioningType.provisioned) this.#answers.push(decodeProvisioned(buffer, from, to));
    });
  }

  /** Time passes; the gateway receipts what comes. Stops when the program ends. */
  run(ms: number): void {
    const { chip, usb } = this.machine;
    const endMs = chip.nowMs + ms;
    while (chip.ended === '' && chip.nowMs < endMs) {
      this.machine.run(STEP_MS);
      if (!this.reads) continue;
      const bytes = usb.take();
      this.text = `${this.text}${this.#latin.decode(bytes)}`.slice(-100_000);
      this.#decoder.push(bytes);
      this.gateway.push(bytes);
      this.gateway.sync();
    }
  }

  /** The program starts anew, and the host opens the port again. */
  boot(): void {
    this.machine.boot();
    this.machine.usb.open();
  }

  who(): BoardAnswer | undefined {
    return this.#ask(ProvisioningType.who, new Uint8Array(0)) as BoardAnswer | undefined;
  }

  provision(what: Provision): Provisioned | undefined {
    return this.#ask(ProvisioningType.provision, encodeProvision(what)) as Provisioned | undefined;
  }

  /** The reasons that the start readings name, in order. */
  get reasons(): unknown[] {
    const reader = new EnvelopeReader();
    return this.gateway.accepted
      .filter(({ kind }) => kind === Kind.start)
      .map(({ bytes }) => {
        reader.parse(bytes, 0, bytes.length);
        const records = readRecords(bytes, reader.recordsAt, reader.recordsEnd);
        return records.find(({ n }) => n === 'reason')?.vs;
      });
  }

  #ask(type: number, body: Uint8Array): BoardAnswer | Provisioned | undefined {
    this.#answers = [];
    const length = this.#encoder.encode(type, body);
    this.machine.usb.put(this.#encoder.buffer.slice(0, length));
    this.run(10 * STEP_MS);
    return this.#answers.pop();
  }
}
