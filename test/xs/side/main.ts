/** Puts a whole virtual board at the harness's hands, for the program that it has left in `boardProgram`. */
import { VirtualMachine } from '../../../boards/virtual/machine.js';
import { fromHex, toHex } from '../../../firmware/seal/index.js';
import type { Source } from '../../../firmware/sensors/source.js';
import { offer } from './exported.js';

declare const boardProgram: (globals: object, modules: Readonly<Record<string, object>>) => void;

const machine = new VirtualMachine(1);
const globals: { abort?: (reason: string) => void } = {};

const hanging: Source = {
  kind: 0,
  poll() {
    for (;;) machine.chip.advance(1);
  },
  write: () => undefined,
};

offer({
  start: () => {
    machine.start(() => boardProgram(globals, machine.modules));
    machine.usb.open();
  },
  boot: () => {
    machine.boot();
    machine.usb.open();
  },
  /** Gives what the host sent, lets time pass, takes what the board sent. */
  run: (ms: number, down: string) => {
    machine.usb.put(fromHex(down) ?? new Uint8Array(0));
    machine.run(ms);
    return { up: toHex(machine.usb.take()), ended: machine.chip.ended };
  },
  abort: (reason: string) => machine.interrupt(() => globals.abort?.(reason)),
  /** From the next start on, a source that never comes back, or none. */
  hang: (hangs: boolean) => {
    machine.sources = () => (hangs ? [hanging] : []);
  },
});
