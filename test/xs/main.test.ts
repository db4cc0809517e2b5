import test from 'ava';
import {
  decodeProvisioned,
  encodeProvision,
  FrameDecoder,
  FrameEncoder,
  fromHex,
  type Provision,
  type Provisioned,
  ProvisioningType,
  toHex,
} from '../../firmware/seal/index.js';
import { TestGateway } from '../firmware/gateway.js';
import { bundleMain, globalOf } from '../firmware/main-board.js';
import { bundle } from './bundle.js';
import { XsWorker } from './worker.js';

const STEP_MS = 100;
const MODULES = ['boards/this/pins', 'native/chip', 'native/digest', 'native/random', 'timer'];
const bytes = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => from + i);
const provision: Provision = {
  id: bytes(8, 1),
  chain: bytes(32, 50),
  down: bytes(32, 100),
  settings: { name: 'probe' },
};

test('the main program on XS takes keys, delivers, and says after each restart why', async t => {
  const xs = await XsWorker.start();
  try {
    await xs.evaluate(await bundle('test/xs/side/main.js'));
    const imports = MODULES.map(name => `const ${globalOf(name)} = modules['${name}'];`).join('\n');
    const script = await bundleMain();
    await xs.evaluate(
      `globalThis.boardProgram = function (globalThis, modules) {\n${imports}\n${script}\n};`,
    );

    let nowMs = 0;
    let down = '';
    let answer: Provisioned | undefined;
    const decoder = new FrameDecoder((type, buffer, from, to) => {
      if (type === ProvisioningType.provisioned) answer = decodeProvisioned(buffer, from, to);
    });
    const gateway = new TestGateway(
      provision,
      provision.id,
      () => nowMs,
      frame => {
        down += toHex(frame);
      },
    );
    /** Stops when the program ends, and says why. */
    const run = async (ms: number): Promise<string> => {
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs += STEP_MS) {
        const given = down;
        down = '';
        const { value } = await xs.call<{ up: string; ended: string }>('run', STEP_MS, given);
        const up = fromHex(value.up)!;
        decoder.push(up);
        gateway.push(up);
        gateway.sync();
        if (value.ended !== '') return value.ended;
      }
      return '';
    };
    const boot = async () => {
      down = '';
      await xs.call('boot');
    };

    await xs.call('start');
    await run(500);
    const encoder = new FrameEncoder();
    const length = encoder.encode(ProvisioningType.provision, encodeProvision(provision));
    down = toHex(encoder.buffer, 0, length);
    t.is(await run(5_000), 'restart');
    t.like(answer, { ok: true, id: provision.id });

    await boot();
    t.is(await run(15_000), '');
    t.is(gateway.hellos.at(-1)?.restart, 'reset');
    t.true(gateway.accepted.length > 10, `${gateway.accepted.length} readings`);
    t.like(gateway.verdicts, { gap: 0, fork: 0 });

    await xs.call('abort', 'memory full');
    t.is(await run(STEP_MS), 'restart');
    await boot();
    t.is(await run(10_000), '');
    t.is(gateway.hellos.at(-1)?.restart, 'fault: memory full');

    await xs.call('hang', true);
    await boot();
    t.is(await run(20_000), 'watchdog');
    await xs.call('hang', false);
    await boot();
    t.is(await run(20_000), '');
    t.is(gateway.hellos.at(-1)?.restart, 'watchdog');
    t.is(gateway.forged, 0);
  } finally {
    await xs.end();
  }
});
