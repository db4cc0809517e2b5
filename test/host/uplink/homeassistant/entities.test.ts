import test from 'ava';
import fc from 'fast-check';
import { componentOf, deviceConfig, gatewayConfig } from '../../../../host/uplink/homeassistant/discovery.js';
import { type RecordForm, recordComponent } from '../../../../host/uplink/homeassistant/entities.js';
import { deviceConfigTopic, gatewayConfigTopic, slug } from '../../../../host/uplink/homeassistant/topics.js';
import { needsJinja, render } from '../../../support/jinja.js';
import { refusals } from './ha-schema.js';

const NAMES = { prefix: 'homeassistant', site: 'cellar.2', gateway: 'gw-1' };
const ID = '3f0c5d2a9b1e4c77';

/** The units of the SenML registries that something could send. */
const UNITS =
  `m kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 l m/s m/s2 m3/s l/s W/m2
cd/m2 bit bit/s lat lon pH dB dBW Bspl count / % %RH %EL EL 1/s 1/min beat/min beats S/m B VA VAs var vars J/m kg/m3 deg NTU
ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm ug/m3 mm/h m/h ppm /100 /1000 hPa mm cm km km/h`.split(
    /\s+/,
  );

test('whatever unit a record has, Home Assistant takes its entity', t => {
  for (const unit of [...UNITS, undefined, '', '<script>', '°F']) {
    const forms = new Map<string, RecordForm>([
      ['x', { kind: 'number', ...(unit !== undefined && { unit }) }],
    ]);
    const config = deviceConfig(
      NAMES,
      '1.0.0',
      { id: ID, forms, gone: new Map() },
      { name: 'probe', sdk: false },
    );
    t.deepEqual(refusals(deviceConfigTopic(NAMES, ID), config.toString()), [], String(unit));
  }
});

test('what the firmware’s sensors send', t => {
  const count = { kind: 'number', unit: 'count' } as const;
  const seconds = { kind: 'number', unit: 's' } as const;
  const records: [string, RecordForm, Record<string, unknown>][] = [
    [
      'air/temperature',
      { kind: 'number', unit: 'Cel' },
      {
        name: 'Air temperature',
        device_class: 'temperature',
        unit_of_measurement: '°C',
        state_class: 'measurement',
      },
    ],
    ['air/humidity', { kind: 'number', unit: '%RH' }, { device_class: 'humidity', unit_of_measurement: '%' }],
    ['air/fault', { kind: 'text' }, { entity_category: 'diagnostic' }],
    ['air/failures', count, { entity_category: 'diagnostic', state_class: 'measurement' }],
    ['air/outage', seconds, { entity_category: 'diagnostic', device_class: 'duration' }],
    ['battery', { kind: 'number', unit: 'V' }, { device_class: 'voltage' }],
    ['press', { kind: 'flag' }, { platform: 'binary_sensor' }],
    ['press/at', seconds, { entity_category: 'diagnostic', enabled_by_default: false }],
    ['meter', count, { state_class: 'total_increasing' }],
    [
      'meter/rate',
      { kind: 'number', unit: '1/s' },
      { unit_of_measurement: '1/s', state_class: 'measurement' },
    ],
    ['gate/door', { kind: 'flag' }, { name: 'Gate door', device_class: 'door' }],
    ['enclosure', { kind: 'flag' }, { device_class: 'opening' }],
    ['reason', { kind: 'text' }, { entity_category: 'diagnostic' }],
    [
      'free-memory',
      { kind: 'number', unit: 'B' },
      { device_class: 'data_size', entity_category: 'diagnostic' },
    ],
    ['backlog', count, { state_class: 'measurement', entity_category: 'diagnostic' }],
    ['temperature', { kind: 'flag' }, { platform: 'binary_sensor' }],
  ];
  const forms = new Map(records.map(([name, form]) => [name, form]));
  const gone = new Map([['temperature', 'sensor']]);
  const device = { id: ID, firmware: '1.2', forms, gone };
  const text = deviceConfig(NAMES, '1.0.0', device, { name: 'probe', sdk: false }).toString();
  t.deepEqual(refusals(deviceConfigTopic(NAMES, ID), text), []);
  const { components, ...config } = JSON.parse(text);
  for (const [name, form, wanted] of records) {
    const component = components[componentOf(name, form)];
    t.like(
      component,
      { platform: form.kind === 'flag' ? 'binary_sensor' : 'sensor', expire_after: 300, ...wanted },
      name,
    );
    for (const key of ['entity_category', 'device_class', 'state_class', 'enabled_by_default'])
      if (form.kind !== 'number' && !(key in wanted)) t.false(key in component, `${name} ${key}`);
  }
  t.deepEqual(components.temperature, { platform: 'sensor' });
  t.like(components.last_reading, { device_class: 'timestamp' });
  t.is(Object.keys(components).length, records.length + 2);
  t.deepEqual(config, {
    device: {
      identifiers: [`sovereign_${ID}`],
      name: 'probe',
      manufacturer: 'Sovereign Edge',
      model: 'Sealing device',
      serial_number: ID,
      sw_version: '1.2',
      via_device: 'sovereign_cellar_2e_2_gw-1',
    },
    origin: { name: 'Sovereign Edge', sw_version: '1.0.0' },
    state_topic: `sovereign/1/cellar.2/${ID}/state`,
    availability: [
      { topic: 'sovereign/1/cellar.2/gateway/gw-1/status', value_template: '{{ value_json.state }}' },
      { topic: `sovereign/1/cellar.2/gateway/gw-1/available/${ID}` },
    ],
    availability_mode: 'all',
    qos: 1,
  });
});

test('a sensor of sovereign-sdk says nothing of its own accord, so it does not expire', t => {
  const forms = new Map<string, RecordForm>([['temperature', { kind: 'number' }]]);
  const config = deviceConfig(NAMES, '1.0.0', { id: ID, forms, gone: new Map() }, { name: 'sdk', sdk: true });
  t.false(config.toString().includes('expire_after'));
});

test('the gateway itself, online, offline and from an older version', t => {
  const config = gatewayConfig(NAMES, '1.0.0').toString();
  t.deepEqual(refusals(gatewayConfigTopic(NAMES), config), []);
  const { components, device } = JSON.parse(config);
  t.like(device, { identifiers: ['sovereign_cellar_2e_2_gw-1'], name: 'Gateway gw-1' });
  t.false('availability' in components.uplink);
  if (!needsJinja(t)) return;
  const names = ['uplink', 'backlog', 'disk', 'journal', 'health'];
  const shows = (status: object) =>
    render(
      names.map(name => ({ template: components[name].value_template, payload: JSON.stringify(status) })),
    );
  const online = { gateway: 'gw-1', site: 'cellar.2', state: 'online', cursor: 40, head: 42, drained: false };
  const node = {
    uplink: { backlog: 7 },
    journal: { state: 'ok', availableBytes: 5e9 },
    health: { ok: true },
  };
  t.deepEqual(shows({ ...online, node }), ['ON', '7', '5000000000', 'OFF', 'OFF']);
  const ill = { uplink: { backlog: 0 }, journal: { state: 'stalled' }, health: { ok: false } };
  t.deepEqual(shows({ ...online, node: ill }), ['ON', '0', '', 'ON', 'ON']);
  t.deepEqual(shows(online), ['ON', '2', '', '', '']);
  t.deepEqual(shows({ ...online, replaces: ['gw-0'] }), ['ON', '', '', '', '']);
  t.deepEqual(shows({ gateway: 'gw-1', site: 'cellar.2', state: 'offline' }), ['OFF', '', '', '', '']);
});

const recordName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9\-:./_]{0,20}$/);

test('no two records, and no two gateways, have the same place in Home Assistant', t => {
  fc.assert(
    fc.property(recordName, recordName, fc.boolean(), fc.boolean(), (a, b, flagA, flagB) => {
      const component = (name: string, flag: boolean) =>
        componentOf(name, { kind: flag ? 'flag' : 'number' });
      const same = a === b && flagA === flagB;
      // `x_5f_flag` of a flag could only be met by a name with `_flag` behind it, in which `_` is written out.
      return (component(a, flagA) === component(b, flagB)) === same && (slug(a) === slug(b)) === (a === b);
    }),
  );
  t.pass();
});

test('the value that is shown is the value that was sent, whatever name and text', t => {
  if (!needsJinja(t)) return;
  const value = fc.oneof(
    fc.record({
      kind: fc.constant('number' as const),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    }),
    fc.record({ kind: fc.constant('number' as const), value: fc.integer() }),
    fc.record({ kind: fc.constant('flag' as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'binary', maxLength: 300 }) }),
  );
  // Names beyond what SenML allows as well: a template must not be made by a device.
  const anyName = fc.oneof(
    recordName,
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constant("'] }}{{ 7*7 }}{% raw %}"),
  );
  const cases = fc.sample(fc.tuple(anyName, value), { numRuns: 400 });
  const templates = cases.map(
    ([name, { kind }]) => recordComponent(name, { kind }, 'id', true).value_template as string,
  );
  const results = render(
    cases.map(([name, { value }], index) => ({
      template: templates[index]!,
      payload: JSON.stringify({ values: Object.fromEntries([[name, value]]) }),
    })),
  );
  for (const [index, [name, { kind, value }]] of cases.entries()) {
    const got = results[index]!;
    if (kind === 'number') t.is(Number(got), value === 0 ? 0 : value, name);
    else if (kind === 'flag') t.is(got, value ? 'ON' : 'OFF', name);
    else t.is(got, pythonStrip([...value].slice(0, 255).join('')), name);
  }
  const [gone, absent, goneText, absentText] = render(
    (['number', 'text'] as const).flatMap(kind => {
      const template = recordComponent('a', { kind }, 'id', true).value_template as string;
      return ['{"values":{"a":null}}', '{"values":{}}'].map(payload => ({ template, payload }));
    }),
  );
  t.deepEqual([gone, absent, goneText, absentText], ['None', '', 'unknown', 'unknown']);
});

/** As `str.strip()` has it: white space, and the separators that JavaScript does not count to it. */
function pythonStrip(text: string): string {
  const space = '[\\s\\x1c-\\x1f\\x85]';
  return text.replace(new RegExp(`^${space}+|${space}+$`, 'g'), '').replace(/^\ufeff|\ufeff$/g, mark => mark);
}
