/**
 * What Home Assistant takes in a device discovery message, written down from its documentation (MQTT integration, device
 * discovery payload; sensor and binary sensor) and from the table of classes and units that its sensors are checked with.
 * A message that breaks a rule is refused there, whole or by entity, with a line in a log that nobody reads.
 */

const TOPIC = /^[A-Za-z0-9_/-]+\/device\/(?:[A-Za-z0-9_-]+\/)?[A-Za-z0-9_-]+\/config$/;
const ROOT = ['device', 'origin', 'components', 'state_topic', 'availability', 'availability_mode', 'qos'];
const DEVICE = ['identifiers', 'name', 'manufacturer', 'model', 'serial_number', 'sw_version', 'via_device'];
const ENTITY = [
  'platform',
  'unique_id',
  'name',
  'value_template',
  'device_class',
  'entity_category',
  'enabled_by_default',
  'expire_after',
  'icon',
  'availability',
];
const KEYS: Record<string, readonly string[]> = {
  binary_sensor: ENTITY,
  sensor: [
    ...ENTITY,
    'unit_of_measurement',
    'suggested_unit_of_measurement',
    'suggested_display_precision',
    'state_class',
  ],
};

/** Units that a class takes, and state classes. Classes that are not here are none that we may use. */
const CLASSES: Record<string, readonly [units: readonly (string | undefined)[], states: readonly string[]]> =
  {
    apparent_power: [['mVA', 'VA', 'kVA'], ['measurement']],
    battery: [['%'], ['measurement']],
    current: [['A', 'mA'], ['measurement']],
    data_rate: [['bit/s', 'kbit/s', 'B/s'], ['measurement']],
    data_size: [
      ['bit', 'B', 'kB', 'MB', 'GB'],
      ['measurement', 'total', 'total_increasing'],
    ],
    distance: [
      ['km', 'm', 'cm', 'mm'],
      ['measurement', 'total', 'total_increasing'],
    ],
    duration: [
      ['d', 'h', 'min', 's', 'ms'],
      ['measurement', 'total', 'total_increasing'],
    ],
    energy: [
      ['J', 'kJ', 'MJ', 'GJ', 'Wh', 'kWh', 'MWh'],
      ['total', 'total_increasing'],
    ],
    frequency: [['Hz', 'kHz', 'MHz', 'GHz'], ['measurement']],
    humidity: [['%'], ['measurement']],
    illuminance: [['lx'], ['measurement']],
    irradiance: [['W/m²'], ['measurement']],
    ph: [[undefined], ['measurement']],
    power: [['W', 'kW', 'MW'], ['measurement']],
    pressure: [['Pa', 'hPa', 'kPa', 'bar', 'mbar'], ['measurement']],
    reactive_power: [['var', 'kvar'], ['measurement']],
    signal_strength: [['dB', 'dBm'], ['measurement']],
    speed: [['m/s', 'km/h', 'mm/s'], ['measurement']],
    temperature: [['°C', '°F', 'K'], ['measurement']],
    timestamp: [[undefined], []],
    voltage: [['V', 'mV', 'µV', 'kV'], ['measurement']],
    volume_storage: [['L', 'mL', 'm³'], ['measurement']],
    weight: [
      ['kg', 'g', 'mg', 'µg'],
      ['measurement', 'total', 'total_increasing'],
    ],
  };
const BINARY_CLASSES = [
  'connectivity',
  'door',
  'window',
  'opening',
  'motion',
  'running',
  'moisture',
  'smoke',
  'vibration',
  'tamper',
  'problem',
];

type Json = Record<string, unknown>;

/** What is wrong with it; empty when Home Assistant takes it. */
export function refusals(topic: string, payload: string): string[] {
  const wrong: string[] = [];
  const check = (ok: boolean, text: string) => {
    if (!ok) wrong.push(text);
  };
  const known = (value: unknown, keys: readonly string[], where: string) => {
    check(typeof value === 'object' && value !== null && !Array.isArray(value), `${where} is no map`);
    for (const key of Object.keys((value ?? {}) as Json))
      check(keys.includes(key), `${where}.${key} is unknown`);
    return (value ?? {}) as Json;
  };
  const text = (value: unknown, where: string) =>
    check(typeof value === 'string' && value !== '', `${where} is no text`);
  check(TOPIC.test(topic), `${topic} is no discovery topic`);
  const root = known(JSON.parse(payload), ROOT, 'message');
  const device = known(root.device, DEVICE, 'device');
  for (const [key, value] of Object.entries(device)) if (key !== 'identifiers') text(value, `device.${key}`);
  const ids = device.identifiers;
  check(
    Array.isArray(ids) && ids.length > 0 && ids.every(id => typeof id === 'string'),
    'device.identifiers',
  );
  text(known(root.origin, ['name', 'sw_version', 'support_url'], 'origin').name, 'origin.name');
  text(root.state_topic, 'state_topic');
  check([undefined, 0, 1, 2].includes(root.qos as number), 'qos');
  check([undefined, 'all', 'any', 'latest'].includes(root.availability_mode as string), 'availability_mode');
  availability(root.availability, 'message');
  const unique = new Set<unknown>();
  for (const [key, value] of Object.entries(root.components as Json)) {
    const platform = String((value as Json).platform);
    check(platform in KEYS, `${key}: platform ${platform}`);
    const component = known(value, KEYS[platform] ?? [], key);
    // Nothing but its platform: that takes it away.
    if (Object.keys(component).length === 1) continue;
    for (const need of ['unique_id', 'name', 'value_template']) text(component[need], `${key}.${need}`);
    check(!unique.has(component.unique_id), `${key}.unique_id is used twice`);
    unique.add(component.unique_id);
    check([undefined, 'diagnostic'].includes(component.entity_category as string), `${key}.entity_category`);
    check(
      [undefined, true, false].includes(component.enabled_by_default as boolean),
      `${key}.enabled_by_default`,
    );
    const expires = component.expire_after;
    check(expires === undefined || (Number.isInteger(expires) && Number(expires) > 0), `${key}.expire_after`);
    availability(component.availability, key);
    if (platform === 'sensor') sensor(key, component);
    else
      check([undefined, ...BINARY_CLASSES].includes(component.device_class as string), `${key}.device_class`);
  }
  return wrong;

  function availability(list: unknown, where: string): void {
    for (const item of (list ?? []) as unknown[]) {
      const keys = ['topic', 'value_template', 'payload_available', 'payload_not_available'];
      text(known(item, keys, `${where}.availability`).topic, `${where}.availability.topic`);
    }
  }

  function sensor(key: string, component: Json): void {
    const { device_class: deviceClass, state_class: stateClass, unit_of_measurement: unit } = component;
    check(
      [undefined, 'measurement', 'total', 'total_increasing'].includes(stateClass as string),
      `${key}.state_class`,
    );
    check(unit === undefined || (typeof unit === 'string' && unit !== ''), `${key}.unit_of_measurement`);
    if (deviceClass === undefined) return;
    const [units, states] = CLASSES[String(deviceClass)] ?? [[], []];
    check(units.includes(unit as string), `${key}: ${deviceClass} in ${unit}`);
    check(
      stateClass === undefined || states.includes(String(stateClass)),
      `${key}: ${deviceClass} as ${stateClass}`,
    );
  }
}
