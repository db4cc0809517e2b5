/**
 * What is published for Home Assistant, all of it retained. `<prefix>` is Home Assistant's own (`homeassistant`), the rest
 * stands beside the readings:
 *
 *   <prefix>/device/sovereign_<device>/config                          discovery, all entities of a device (≥ 2024.11)
 *   <prefix>/device/sovereign_<site>_<gateway>/config                  discovery of the gateway itself
 *   sovereign/1/<site>/<device>/state                                  what the device says now, JSON: see view.ts
 *   sovereign/1/<site>/gateway/<gateway>/available/<device>            `online` or `offline`
 *
 * A device is announced under its own id, whichever gateway speaks for it: one that goes on to another gateway stays the
 * same device in Home Assistant, with its history. Whether it is heard is each gateway's own word, so it has the gateway
 * in its topic, or the one that it has left would go on saying that it is silent.
 */

export interface Names {
  /** Of Home Assistant. */
  readonly prefix: string;
  readonly site: string;
  readonly gateway: string;
}

export const birthTopic = ({ prefix }: Names) => `${prefix}/status`;

export const deviceConfigTopic = ({ prefix }: Names, device: string) =>
  `${prefix}/device/${deviceIdentifier(device)}/config`;

export const gatewayConfigTopic = (names: Names) =>
  `${names.prefix}/device/${gatewayIdentifier(names)}/config`;

export const stateTopic = ({ site }: Names, device: string) => `sovereign/1/${site}/${device}/state`;

export const availableTopic = ({ site, gateway }: Names, device: string) =>
  `sovereign/1/${site}/gateway/${gateway}/available/${device}`;

/** Of a device, in Home Assistant's registry. */
export const deviceIdentifier = (device: string) => `sovereign_${device}`;

export const gatewayIdentifier = ({ site, gateway }: Names) => `sovereign_${slug(site)}_${slug(gateway)}`;

/** Letters, digits and `-` stay; everything else is `_` and its code in hexadecimal, so that no two texts become one. */
export function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9-]/gu, character => `_${character.codePointAt(0)!.toString(16)}_`);
}
