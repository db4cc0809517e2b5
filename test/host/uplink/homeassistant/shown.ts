/** What Home Assistant shows, given what is retained at the broker: it does as its documentation says, with real templates. */
import { type Rendering, render } from '../../../support/jinja.js';
import { refusals } from './ha-schema.js';

export type Retained = ReadonlyMap<string, string>;

/** By the names of device and entity: its state, `unknown` or `unavailable`. */
export type Shown = Record<string, Record<string, string>>;

interface Config {
  readonly device: { readonly name: string };
  readonly state_topic: string;
  readonly availability?: readonly Availability[];
  readonly components: Readonly<Record<string, Component>>;
}

interface Component {
  readonly platform: string;
  readonly unique_id?: string;
  readonly name: string;
  readonly value_template: string;
  readonly availability?: readonly Availability[];
}

interface Availability {
  readonly topic: string;
  readonly value_template?: string;
}

interface Entity {
  readonly device: string;
  readonly name: string;
  readonly platform: string;
  readonly state: Rendering | undefined;
  readonly availability: (Rendering | undefined)[];
}

/** @throws Error when a discovery message would be refused */
export function shown(retained: Retained): Shown {
  const entities: Entity[] = [];
  const job = (topic: string, template = '{{ value }}') => {
    const payload = retained.get(topic);
    return payload === undefined ? undefined : { template, payload };
  };
  for (const [topic, payload] of retained) {
    if (!topic.endsWith('/config')) continue;
    const wrong = refusals(topic, payload);
    if (wrong.length > 0) throw new Error(`${topic}: ${wrong.join('; ')}`);
    const config: Config = JSON.parse(payload);
    for (const component of Object.values(config.components)) {
      if (component.unique_id === undefined) continue;
      const availability = component.availability ?? config.availability ?? [];
      entities.push({
        device: config.device.name,
        name: component.name,
        platform: component.platform,
        state: job(config.state_topic, component.value_template),
        availability: availability.map(item => job(item.topic, item.value_template)),
      });
    }
  }
  const jobs = entities.flatMap(({ state, availability }) =>
    [state, ...availability].filter(item => item !== undefined),
  );
  const results = render(jobs);
  let at = 0;
  const next = (item: Rendering | undefined) => (item === undefined ? undefined : results[at++]);
  const out: Shown = {};
  for (const { device, name, platform, state, availability } of entities) {
    const value = next(state);
    const available = availability.map(next).every(text => text === 'online');
    out[device] ??= {};
    out[device][name] = available ? present(platform, value) : 'unavailable';
  }
  return out;
}

/** An empty text leaves a number or a flag as it was: here, of a Home Assistant that has just started, unknown. */
function present(platform: string, value: string | undefined): string {
  if (value === undefined || value === '' || value === 'None') return 'unknown';
  if (platform === 'sensor') return value;
  return value === 'ON' ? 'on' : value === 'OFF' ? 'off' : 'unknown';
}
