/** What Home Assistant is told of each record of a device and of each figure of a gateway: its component, as discovery has it. */
import type { JsonRecord } from '../../subscriber/records.js';
import { quantityOf } from './units.js';

/** What a record's value is. Data (`vd`) is nothing that Home Assistant could show. */
export type ValueKind = 'number' | 'flag' | 'text';

export interface RecordForm {
  readonly kind: ValueKind;
  /** SenML; of numbers alone. */
  readonly unit?: string;
}

/** Undefined for a record that Home Assistant has no entity for. */
export function formOf({ u, v, vs, vb }: JsonRecord): RecordForm | undefined {
  if (v !== undefined) return { kind: 'number', ...(u !== undefined && { unit: u }) };
  if (vb !== undefined) return { kind: 'flag' };
  return vs === undefined ? undefined : { kind: 'text' };
}

export const sameForm = (a: RecordForm | undefined, b: RecordForm) => a?.kind === b.kind && a.unit === b.unit;

/** The device is silent after three heartbeats; this much later the last thing heard is not shown as present any more. */
export const EXPIRE_SECONDS = 300;
/** A state in Home Assistant has no more characters. */
const MAX_STATE_CHARS = 255;

/** Records about the device or the source rather than of what is measured. */
const DIAGNOSTIC =
  /^(reason|firmware|next-sequence|free-memory|backlog|losses|lost|lost-range|config-\w+)$|\/(fault|failures|outage|at|since|glitches|missed|dropped)$/;
/** Of use to somebody who looks for a cause; not shown unless asked for. */
const HIDDEN = /^(next-sequence|config-\w+)$|\/(at|since|glitches|missed|dropped)$/;
/** Counts that fall again: how many there are now. */
const PRESENT_COUNT = /^(next-sequence|backlog)$|\/failures$/;
/** By the last word of a name: what a flag means. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ['door', 'door'],
  ['window', 'window'],
  ['enclosure', 'opening'],
  ['lid', 'opening'],
  ['motion', 'motion'],
  ['running', 'running'],
  ['leak', 'moisture'],
  ['smoke', 'smoke'],
  ['vibration', 'vibration'],
  ['tamper', 'tamper'],
  ['problem', 'problem'],
  ['alarm', 'problem'],
]);

export type Component = Readonly<Record<string, string | number | boolean | readonly unknown[]>>;

/**
 * The component of one record.
 * @param uniqueId of the entity
 * @param expires whether the device speaks by itself at least so often
 */
export function recordComponent(
  name: string,
  form: RecordForm,
  uniqueId: string,
  expires: boolean,
): Component {
  return {
    platform: form.kind === 'flag' ? 'binary_sensor' : 'sensor',
    unique_id: uniqueId,
    name: title(name),
    value_template: template(name, form.kind),
    ...(form.kind === 'number' && numberFields(name, form.unit)),
    ...(form.kind === 'flag' && flagFields(name)),
    ...(DIAGNOSTIC.test(name) && { entity_category: 'diagnostic' }),
    ...(HIDDEN.test(name) && { enabled_by_default: false }),
    ...(expires && { expire_after: EXPIRE_SECONDS }),
  };
}

/** When the device took what it says now. */
export function timeComponent(uniqueId: string): Component {
  return {
    platform: 'sensor',
    unique_id: uniqueId,
    name: 'Last reading',
    device_class: 'timestamp',
    entity_category: 'diagnostic',
    value_template: "{{ value_json['time'] }}",
  };
}

/**
 * A value that is not there now is null: Home Assistant shows it as unknown. One that is not mentioned, as after a restart of
 * the gateway, leaves a number or a flag as it was (an empty text does that); a text has no such way.
 */
function template(name: string, kind: ValueKind): string {
  const value = `{% set v = value_json['values'][${JSON.stringify(name)}] %}`;
  const known = 'v is defined and v is not none';
  if (kind === 'text') return `${value}{{ (v | string)[:${MAX_STATE_CHARS}] if ${known} else 'unknown' }}`;
  const shown = kind === 'flag' ? "('ON' if v else 'OFF')" : 'v';
  return `${value}{{ ${shown} if ${known} else ('None' if v is defined else '') }}`;
}

function numberFields(name: string, senml: string | undefined): Partial<Component> {
  const { unit, deviceClass, stateClass } = quantityOf(senml);
  return {
    state_class: PRESENT_COUNT.test(name) ? 'measurement' : stateClass,
    ...(unit !== undefined && { unit_of_measurement: unit }),
    ...(deviceClass !== undefined && { device_class: deviceClass }),
  };
}

function flagFields(name: string): Partial<Component> {
  const deviceClass = FLAGS.get(name.slice(name.search(/[^-:./_]+$/)));
  return deviceClass === undefined ? {} : { device_class: deviceClass };
}

/** `air/temperature` as people read it. */
function title(name: string): string {
  const text = name.replace(/[-:./_]+/g, ' ').trim();
  return text === '' ? name : text[0].toUpperCase() + text.slice(1);
}

/** Said every 10 s: after so long nobody says it any more. */
const STATUS_EXPIRE_SECONDS = 120;

/** The figures of a gateway, out of its retained status. @param id makes a unique id of a name */
export function gatewayComponents(
  id: (name: string) => string,
  availability: readonly object[],
): Record<string, Component> {
  const journal = 'value_json.node.journal';
  const diagnostic = { entity_category: 'diagnostic', expire_after: STATUS_EXPIRE_SECONDS, availability };
  const when = (condition: string, value: string) => `{{ ${value} if ${condition} else '' }}`;
  return {
    uplink: {
      platform: 'binary_sensor',
      unique_id: id('uplink'),
      name: 'Uplink',
      device_class: 'connectivity',
      entity_category: 'diagnostic',
      // Without availability: what says that the gateway is gone must not be gone itself.
      value_template: "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
    },
    backlog: {
      ...diagnostic,
      platform: 'sensor',
      unique_id: id('backlog'),
      name: 'Backlog',
      icon: 'mdi:tray-full',
      state_class: 'measurement',
      // The offsets of a restored gateway have a gap that no readings are in: then `node` alone knows.
      value_template:
        "{{ value_json.node.uplink.backlog if value_json.node is defined else (value_json.head - value_json.cursor if value_json.head is defined and value_json.replaces is not defined else '') }}",
    },
    disk: {
      ...diagnostic,
      platform: 'sensor',
      unique_id: id('disk'),
      name: 'Free disk space',
      device_class: 'data_size',
      unit_of_measurement: 'B',
      suggested_unit_of_measurement: 'GB',
      suggested_display_precision: 1,
      state_class: 'measurement',
      value_template: when(
        `value_json.node is defined and ${journal}.availableBytes is defined`,
        `${journal}.availableBytes`,
      ),
    },
    journal: {
      ...diagnostic,
      platform: 'binary_sensor',
      unique_id: id('journal'),
      name: 'Journal',
      device_class: 'problem',
      value_template: when('value_json.node is defined', `('OFF' if ${journal}.state == 'ok' else 'ON')`),
    },
    health: {
      ...diagnostic,
      platform: 'binary_sensor',
      unique_id: id('health'),
      name: 'Health',
      device_class: 'problem',
      value_template: when(
        'value_json.node is defined and value_json.node.health is defined',
        "('OFF' if value_json.node.health.ok else 'ON')",
      ),
    },
  };
}
