import test from 'ava';
import type { DecodedReading } from '../../../host/control/calls.js';
import { difference } from '../../../host/web/fleet.js';
import type { FleetDevice, FleetStatus } from '../../../host/web/messages.js';
import {
  deviceCondition,
  fleetConcerns,
  gatewayConcerns,
  heardText,
  refusals,
  urgency,
} from '../../../host/web/page/condition.js';
import { merged } from '../../../host/web/page/fleet-store.js';
import { recordText, valueText } from '../../../host/web/page/format.js';
import { SeriesBuilder } from '../../../host/web/page/series.js';
import { emptyStatus } from '../control/status.js';

const device = (some: Partial<FleetDevice> = {}): FleetDevice => ({
  id: '00000000000000a1',
  name: 'cellar',
  readings: 7,
  gaps: 0,
  silent: false,
  online: true,
  heardAt: 1000,
  counts: {},
  ...some,
});

const status = (some: Partial<FleetStatus> = {}): FleetStatus => ({ ...emptyStatus, ...some });

test('what changes of a device is told, and put together again, whatever it is', t => {
  const states: FleetDevice[] = [
    device(),
    device({ silent: true }),
    device({ counts: { fork: 1 }, values: [{ n: 'a', v: 1 }] }),
    device({ values: [{ n: 'a', v: 2 }], settings: { version: 1, acknowledged: 0, supported: true } }),
  ];
  for (const was of states)
    for (const now of states) {
      const change = difference(was, now);
      if (was === now) t.is(change, undefined);
      else t.deepEqual(merged(was, JSON.parse(JSON.stringify(change))), now);
    }
  t.deepEqual(merged(undefined, difference(undefined, states[2]!)!), states[2]);
});

test('a device: silent and forked are bad, missing readings want a look, repetitions do not', t => {
  t.deepEqual(deviceCondition(device()), { level: 'ok', word: 'online' });
  t.deepEqual(deviceCondition(device({ silent: true })), { level: 'bad', word: 'silent' });
  t.is(deviceCondition(device({ counts: { fork: 1 } })).level, 'bad');
  t.is(deviceCondition(device({ gaps: 1 })).level, 'warn');
  t.is(deviceCondition(device({ counts: { replay: 9, early: 3 } })).level, 'ok');
  const { name, ...removed } = device({ online: false });
  t.deepEqual(
    deviceCondition(removed),
    { level: 'off', word: 'removed' },
    `${name} is no longer in the keyring`,
  );
  const { heardAt: _, ...unheard } = device({ online: false, readings: 0 });
  t.deepEqual(deviceCondition(unheard), { level: 'off', word: 'offline' });
  t.is(heardText(unheard, 0), 'never');
  t.is(heardText({ ...unheard, readings: 1 }, 0), 'not since the start');
  t.is(urgency(device({ counts: { replay: 9 } })), 0);
  t.true(urgency(device({ silent: true })) > urgency(device({ gaps: 99, losses: 5, counts: { stale: 1 } })));
  t.regex(refusals(device({ counts: { fork: 2 } }))[0]!, /^2 forks/);
});

test('concerns name the devices, lead to one of them or to the list, and say why something is refused', t => {
  const silent = Array.from({ length: 5 }, (_, i) => device({ id: `${i}`, name: `d${i}`, silent: true }));
  t.deepEqual(fleetConcerns(silent), [
    { level: 'bad', text: '5 devices silent: d0, d1, d2 and 2 more', href: '#/fleet/silent' },
  ]);
  t.is(fleetConcerns([device({ gaps: 3 })])[0]!.href, '#/device/00000000000000a1');
  t.deepEqual(fleetConcerns([device()]), []);
  t.deepEqual(gatewayConcerns(status()), []);
  const refused = {
    bytes: 1,
    kept: 1,
    dropped: {},
    reasons: { mac: 2, 'unknown-device': 5, malformed: 1 },
    evidence: 0,
  };
  t.deepEqual(
    gatewayConcerns(status({ quarantine: refused })).map(({ text }) => text),
    [
      '8 messages were refused: 5 of devices that are not in the keyring, ' +
        '2 with a wrong seal (altered, forged, or under another key) and more',
    ],
  );
  const stalled = { ...emptyStatus.journal, state: 'stalled', fault: 'no space left' } as const;
  t.like(gatewayConcerns(status({ journal: stalled, quarantine: { ...refused, evidence: 1 } })), [
    { level: 'bad', href: '#/gateway' },
    { level: 'bad', href: '#/quarantine' },
    { level: 'warn' },
  ]);
});

const reading = (seq: number, more: Partial<DecodedReading> = {}): DecodedReading => ({
  offset: seq,
  at: 60_000 + 1000 * seq,
  device: 'a',
  epoch: 1,
  seq,
  link: 'tcp',
  records: [{ n: 't', u: 'Cel', v: seq }],
  ...more,
});

test('a line is broken where readings are missing and where the device began anew', t => {
  const builder = new SeriesBuilder();
  for (const seq of [0, 1, 4]) builder.add(reading(seq));
  builder.add(reading(4));
  builder.add(reading(0, { epoch: 2, at: 70_000 }));
  const [series] = builder.all;
  t.deepEqual(series!.values, [0, 1, null, 4, null, 0]);
  t.deepEqual(series!.times, [60, 61, 62.5, 64, 67, 70]);
});

test('plots hold numbers and switches; heartbeats and texts are none; time never runs back', t => {
  const builder = new SeriesBuilder();
  const of = (n: string) => builder.all.find(({ name }) => name === n);
  builder.add(
    reading(0, {
      records: [
        { n: 'b', v: 1 },
        { n: 'a', vb: true },
        { n: 'x', vs: 'text' },
      ],
    }),
  );
  builder.add(reading(1, { kind: 'heartbeat', records: [{ n: 'uptime', v: 5 }] }));
  builder.add(
    reading(2, {
      at: 1,
      records: [
        { n: 'b', v: 2 },
        { n: 'a', vb: false },
      ],
    }),
  );
  t.deepEqual(
    builder.all.map(({ name, switched }) => [name, switched]),
    [
      ['a', true],
      ['b', false],
    ],
  );
  t.deepEqual(of('b')!.values, [1, 2], 'a heartbeat is no gap');
  t.true(of('b')!.times[1]! >= of('b')!.times[0]!);
  builder.forget(1e6);
  t.deepEqual(builder.all, []);
});

test('a series is forgotten by its age, and beyond what a page should hold', t => {
  const builder = new SeriesBuilder();
  for (let seq = 0; seq < 60_000; seq++) builder.add(reading(seq));
  builder.forget(0);
  const [series] = builder.all;
  t.is(series!.times.length, 50_000);
  t.is(series!.values.at(-1), 59_999);
  builder.forget(60 + 59_990);
  t.deepEqual(
    builder.all[0]!.values,
    [59_990, 59_991, 59_992, 59_993, 59_994, 59_995, 59_996, 59_997, 59_998, 59_999],
  );
});

test('numbers as people read them', t => {
  t.deepEqual([21.53999, 0, -3, 1e9, 1.2e-5].map(valueText), ['21.54', '0', '-3', '1.00e+9', '1.20e-5']);
  t.is(recordText({ u: 'Cel', v: 21.5 }), '21.5 °C');
  t.is(recordText({ u: 'constructor', v: 1 }), '1 constructor');
  t.is(recordText({ vd: 'AAAA' }), '3 bytes');
  t.is(recordText({ vb: false }), 'false');
});
