/**
 * What announces a device to Home Assistant: one retained message with all of its entities (device-based discovery, Home
 * Assistant 2024.11 or later). One message a device rather than one an entity: a fleet of a thousand is announced with a thousand
 * messages, a device is removed by one, and no entity of a device can be left behind by itself.
 */
import { statusTopic } from '../topics.js';
import {
  type Component,
  gatewayComponents,
  type RecordForm,
  recordComponent,
  timeComponent,
} from './entities.js';
import {
  availableTopic,
  deviceIdentifier,
  gatewayIdentifier,
  type Names,
  slug,
  stateTopic,
} from './topics.js';

/** What a device was heard to have. */
export interface Heard {
  readonly id: string;
  readonly firmware?: string | undefined;
  readonly forms: ReadonlyMap<string, RecordForm>;
  /** Platforms of entities that were there before, by component. */
  readonly gone: ReadonlyMap<string, string>;
}

/** What the keyring says of it. */
export interface Known {
  readonly name: string;
  /** A sensor of sovereign-sdk: nothing says how often it speaks. */
  readonly sdk: boolean;
}

const MANUFACTURER = 'Sovereign Edge';

/** What a component of a record is called; a flag and a number of the same name are two entities. */
export const componentOf = (name: string, { kind }: RecordForm) =>
  kind === 'flag' ? `${slug(name)}_flag` : slug(name);

export const platformOf = ({ kind }: RecordForm) => (kind === 'flag' ? 'binary_sensor' : 'sensor');

export function deviceConfig(
  names: Names,
  version: string,
  { id, firmware, forms, gone }: Heard,
  { name, sdk }: Known,
): Uint8Array {
  const own = deviceIdentifier(id);
  const components: Record<string, Component> = { last_reading: timeComponent(`${own}_last_reading`) };
  for (const [component, platform] of gone) components[component] = { platform };
  for (const [record, form] of forms) {
    const component = componentOf(record, form);
    components[component] = recordComponent(record, form, `${own}_${component}`, !sdk);
  }
  return encode({
    device: {
      identifiers: [own],
      name,
      manufacturer: MANUFACTURER,
      model: sdk ? 'sovereign-sdk sensor' : 'Sealing device',
      serial_number: id,
      ...(firmware !== undefined && { sw_version: firmware }),
      via_device: gatewayIdentifier(names),
    },
    origin: origin(version),
    state_topic: stateTopic(names, id),
    availability: [gatewayAvailability(names), { topic: availableTopic(names, id) }],
    availability_mode: 'all',
    qos: 1,
    components,
  });
}

export function gatewayConfig(names: Names, version: string): Uint8Array {
  const own = gatewayIdentifier(names);
  return encode({
    device: {
      identifiers: [own],
      name: `Gateway ${names.gateway}`,
      manufacturer: MANUFACTURER,
      model: 'Gateway',
      sw_version: version,
    },
    origin: origin(version),
    state_topic: statusTopic(names.site, names.gateway),
    qos: 1,
    components: gatewayComponents(name => `${own}_${name}`, [gatewayAvailability(names)]),
  });
}

const origin = (version: string) => ({ name: MANUFACTURER, sw_version: version });

/** `online` and `offline` are what Home Assistant expects anyway. The will of the gateway says offline. */
const gatewayAvailability = ({ site, gateway }: Names) => ({
  topic: statusTopic(site, gateway),
  value_template: '{{ value_json.state }}',
});

const encode = (config: object) => Buffer.from(JSON.stringify(config));
