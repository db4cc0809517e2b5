import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Fault } from '../../../host/fault.js';
import { NodeGpio, type Onoff } from '../../../host/node/gpio.js';
import { notAllowed, notRun } from '../../support/needs.js';
import { until } from '../uplink/support.js';

/**
 * A tree as the kernel has it under /sys/class/gpio (Documentation/admin-guide/gpio/sysfs.rst): a line that is written to `export` gets
 * a directory after a moment, one that is written to `unexport` loses it.
 */
class Tree {
  readonly root = mkdtempSync(join(tmpdir(), 'gpio-'));
  readonly exported: number[] = [];

  constructor(t: ExecutionContext, chips: readonly { base: number; ngpio: number; label: string }[]) {
    for (const { base, ngpio, label } of chips) {
      const directory = join(this.root, `gpiochip${base}`);
      mkdirSync(directory);
      for (const [file, value] of Object.entries({ base, ngpio, label }))
        writeFileSync(join(directory, file), `${value}\n`);
    }
    for (const file of ['export', 'unexport']) writeFileSync(join(this.root, file), '');
    const timer = setInterval(() => this.#turn(), 10);
    t.teardown(() => {
      clearInterval(timer);
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  path(number: number, file: string): string {
    return join(this.root, `gpio${number}`, file);
  }

  text(number: number, file: string): string {
    return readFileSync(this.path(number, file), 'utf8').trim();
  }

  #turn(): void {
    const taken = (file: string) => {
      const text = readFileSync(join(this.root, file), 'utf8');
      if (text !== '') writeFileSync(join(this.root, file), '');
      return text === '' ? undefined : Number(text);
    };
    const shown = taken('export');
    if (shown !== undefined) {
      this.exported.push(shown);
      mkdirSync(join(this.root, `gpio${shown}`));
      for (const [file, value] of Object.entries({
        direction: 'in',
        value: '0',
        active_low: '0',
        edge: 'none',
      }))
        writeFileSync(this.path(shown, file), `${value}\n`);
    }
    const hidden = taken('unexport');
    if (hidden !== undefined) rmSync(join(this.root, `gpio${hidden}`), { recursive: true });
  }
}

const PI_5 = [
  { base: 512, ngpio: 36, label: 'gpio-brcmstb@107d508500' },
  { base: 571, ngpio: 54, label: 'pinctrl-rp1' },
  { base: 625, ngpio: 4, label: 'gpio-brcmstb@107d517c00' },
];
const MACHINES: [string, typeof PI_5, number][] = [
  [
    'Pi 3, Linux 6.1',
    [
      { base: 0, ngpio: 54, label: 'pinctrl-bcm2835' },
      { base: 504, ngpio: 8, label: 'raspberrypi-exp-gpio' },
    ],
    17,
  ],
  [
    'Pi 4, Linux 6.6',
    [
      { base: 512, ngpio: 58, label: 'pinctrl-bcm2711' },
      { base: 570, ngpio: 8, label: 'raspberrypi-exp-gpio' },
    ],
    529,
  ],
  ['Pi 5, Linux 6.6', PI_5, 588],
  ['Pi 5, Linux 6.1', PI_5.map(chip => (chip.base === 571 ? { ...chip, base: 399 } : chip)), 416],
  ['another machine with one chip', [{ base: 100, ngpio: 32, label: 'sunxi' }], 117],
];

for (const [name, chips, number] of MACHINES)
  test(`${name}: line 17 of the header is ${number} for the kernel`, async t => {
    const tree = new Tree(t, chips);
    const line = await new NodeGpio({ root: tree.root }).output(17, false);
    t.deepEqual(tree.exported, [number]);
    t.is(tree.text(number, 'direction'), 'low');
    line.write(true);
    t.is(tree.text(number, 'value'), '1');
    line.close();
    await until(() => !existsSync(tree.path(number, 'value')), 'the line to be hidden');
  });

test('an LED between the supply and the line is dark at first', async t => {
  const tree = new Tree(t, PI_5);
  const line = await new NodeGpio({ root: tree.root }).output(2, true);
  t.is(tree.text(573, 'direction'), 'high');
  t.is(tree.text(573, 'active_low'), '1');
  t.is(tree.text(573, 'value'), '0');
  line.close();
});

test('an input says its level and when it changes; one that was shown before is taken as it is', async t => {
  const tree = new Tree(t, PI_5);
  writeFileSync(join(tree.root, 'export'), '598');
  await until(() => existsSync(tree.path(598, 'edge')), 'the line');
  const line = await new NodeGpio({ root: tree.root }).input(27);
  t.teardown(() => line.close());
  t.is(tree.text(598, 'direction'), 'in');
  let changes = 0;
  line.watch(() => changes++);
  t.false(line.read());
  writeFileSync(tree.path(598, 'value'), '1\n');
  await until(() => changes === 1, 'the edge');
  t.true(line.read());
  rmSync(tree.path(598, 'value'));
  t.throws(() => line.read());
  writeFileSync(tree.path(598, 'value'), '0\n');
});

test('a line that is gone when it is closed keeps nobody from ending', async t => {
  const tree = new Tree(t, PI_5);
  const gpio = new NodeGpio({ root: tree.root });
  const lines = [await gpio.output(2, false), await gpio.input(3)];
  rmSync(tree.root, { recursive: true });
  mkdirSync(tree.root);
  for (const file of ['export', 'unexport']) writeFileSync(join(tree.root, file), ''); // for the tree's own timer
  for (const line of lines) t.notThrows(() => line.close());
  const chips = new Tree(t, PI_5);
  const gone = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  let opened = false;
  class Gpio {
    readSync = gone;
    writeSync = () => void (opened && gone());
    watch = gone;
    unexport = gone;
  }
  const native = new NodeGpio({ root: chips.root, load: async () => ({ Gpio }) as Onoff });
  const others = [await native.output(2, false), await native.input(3)];
  opened = true;
  for (const line of others) t.notThrows(() => line.close());
});

test('through onoff, with the kernel’s number, where it is installed', async t => {
  const tree = new Tree(t, PI_5);
  const calls: unknown[] = [];
  class Gpio {
    constructor(...made: unknown[]) {
      calls.push(made);
    }
    readSync = () => 1;
    writeSync = (value: number) => void calls.push(value);
    watch = (listener: (error: null, value: number) => void) => listener(null, 1);
    unexport = () => void calls.push('unexport');
  }
  const gpio = new NodeGpio({ root: tree.root, load: async () => ({ Gpio }) as Onoff });
  const led = await gpio.output(17, true);
  led.write(true);
  led.close();
  const input = await gpio.input(27);
  let edges = 0;
  input.watch(() => edges++);
  t.true(input.read());
  input.close();
  t.is(edges, 1);
  t.deepEqual(calls, [
    [588, 'high', { activeLow: true }],
    0,
    1,
    0,
    'unexport',
    [598, 'in', 'both'],
    'unexport',
  ]);
});

const SCRIPT = `
const [module] = process.argv.slice(1);
const { NodeGpio } = await import(module);
const { readFileSync } = await import('node:fs');
const gpio = new NodeGpio();
const text = file => readFileSync('/sys/class/gpio/' + file, 'utf8').trim();
const led = await gpio.output(17, true);
led.write(true);
const lit = text('gpio588/value');
const set = [text('gpio588/direction'), text('gpio588/active_low')];
led.close();
const input = await gpio.input(27);
console.log(JSON.stringify({ lit, set, dark: text('gpio588/value'), unexport: text('unexport'), high: input.read(), edge: text('gpio598/edge') }));
process.exit(0);
`;

test('the onoff that is installed, over a tree in place of /sys/class', async t => {
  const installed = await import('onoff').catch(() => undefined);
  if (installed === undefined)
    return notRun(t, 'onoff is not installed, or its native part is not: apt-get install gcc make; npm ci');
  const lines = [588, 598].map(
    line => `mkdir gpio${line}; for f in direction active_low value edge; do echo 1 > gpio${line}/$f; done`,
  );
  const script = `mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/gpio/gpiochip571 && cd /sys/class/gpio || exit 77
: > export; : > unexport; echo 571 > gpiochip571/base; echo 54 > gpiochip571/ngpio; echo pinctrl-rp1 > gpiochip571/label
${lines.join('\n')}
exec "$0" --input-type=module -e "$1" "$2"`;
  const module = new URL('../../../host/node/gpio.js', import.meta.url).href;
  const spaces = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const { status, stdout, stderr } = spawnSync('unshare', [
    ...spaces,
    'sh',
    '-c',
    script,
    process.execPath,
    SCRIPT,
    module,
  ]);
  if (status === 77 || status === null || /unshare failed|Operation not permitted/.test(String(stderr)))
    return notAllowed(t, `/sys/class can't be mounted here, by root or in a user name space: ${stderr}`);
  t.is(status, 0, String(stderr));
  t.deepEqual(JSON.parse(stdout.toString()), {
    lit: '1',
    set: ['high', '1'],
    dark: '0',
    unexport: '588',
    high: true,
    edge: 'both',
  });
});

async function refused(gpio: NodeGpio, line = 17): Promise<Fault> {
  return gpio.output(line, false).then(
    () => {
      throw new Error('it was taken');
    },
    error => error as Fault,
  );
}

test('what is wrong, and what to do', async t => {
  const nowhere = await refused(new NodeGpio({ root: '/nowhere/class/gpio' }));
  t.is(nowhere.code, 'gpio-absent');
  t.regex(nowhere.remedy, /take panel out/);
  t.is((await refused(new NodeGpio({ root: new Tree(t, []).root }))).code, 'gpio-absent');

  const strange = [
    { ...PI_5[0]!, label: 'a' },
    { ...PI_5[1]!, label: 'b' },
  ];
  const tree = new Tree(t, strange);
  const unknown = await refused(new NodeGpio({ root: tree.root }));
  t.is(unknown.code, 'gpio-chip');
  t.regex(unknown.message, /a, b/);
  const wrong = await refused(new NodeGpio({ root: tree.root, chip: 'c' }));
  t.regex(wrong.message, /no GPIO chip is called c; there are a, b/);
  const line = await new NodeGpio({ root: tree.root, chip: 'b' }).output(1, false);
  t.deepEqual(tree.exported, [572]);
  line.close();

  const far = await refused(new NodeGpio({ root: new Tree(t, PI_5).root }), 54);
  t.is(far.code, 'gpio-line');
  t.regex(far.message, /lines 0 to 53/);

  const busy = new NodeGpio({
    root: new Tree(t, PI_5).root,
    load: async () => ({
      Gpio: class {
        constructor() {
          throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
        }
      } as unknown as Onoff['Gpio'],
    }),
  });
  t.like(await refused(busy), { code: 'gpio-unusable', message: 'GPIO 17 can’t be used: EBUSY' });
});
