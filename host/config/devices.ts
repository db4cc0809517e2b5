/** `devices:` of the configuration: how often the sources of a device are to speak. */
import {
  encodeSourceSettings,
  MAX_CONFIGURED_SOURCES,
  type NamedSourceSettings,
} from '../../firmware/seal/index.js';
import { type Path, valueAt } from './document.js';

/** What the message that carries them has room for. */
export const MAX_SETTINGS_BYTES = 240;
export const MIN_PERIOD_MS = 10;
export const MAX_PERIOD_MS = 86_400_000;

export interface SourceDocument {
  readonly periodMs?: number | undefined;
  readonly threshold?: number | undefined;
  readonly maxIntervalMs?: number | undefined;
}

/** Settings of one device, sources in the order of their names: the same settings are the same bytes. */
export function settingsList(
  sources: Readonly<Record<string, SourceDocument>>,
): readonly NamedSourceSettings[] {
  return Object.keys(sources)
    .sort()
    .map(name => ({ name, ...sources[name] }));
}

/** Limits between the settings of one device. */
export function deviceConflicts(
  raw: unknown,
  check: (path: Path, wrong: boolean, text: string) => void,
): void {
  const devices = valueAt(raw, ['devices']);
  if (typeof devices !== 'object' || devices === null || Array.isArray(devices)) return;
  for (const device of Object.keys(devices)) {
    const sources = valueAt(devices, [device, 'sources']);
    if (typeof sources !== 'object' || sources === null || Array.isArray(sources)) continue;
    let sound = true;
    for (const [name, source] of Object.entries(sources)) {
      const number = (key: string) => {
        const value = valueAt(source, [key]);
        if (value !== undefined && typeof value !== 'number') sound = false;
        return typeof value === 'number' ? value : undefined;
      };
      const [periodMs, maxIntervalMs] = [number('periodMs'), number('maxIntervalMs'), number('threshold')];
      const less = periodMs !== undefined && maxIntervalMs !== undefined && maxIntervalMs < periodMs;
      check(
        ['devices', device, 'sources', name, 'maxIntervalMs'],
        less,
        `(${maxIntervalMs}) must not be below periodMs (${periodMs})`,
      );
    }
    const count = Object.keys(sources).length;
    const list = sound && count <= MAX_CONFIGURED_SOURCES ? encoded(sources as never) : undefined;
    check(
      ['devices', device, 'sources'],
      count > MAX_CONFIGURED_SOURCES || (list !== undefined && list.length > MAX_SETTINGS_BYTES),
      `too many sources for one message: at most ${MAX_CONFIGURED_SOURCES}, and ${MAX_SETTINGS_BYTES} bytes encoded`,
    );
  }
}

/** Undefined also for what another check complains about. */
function encoded(sources: Readonly<Record<string, SourceDocument>>): Uint8Array | undefined {
  try {
    const list = settingsList(sources);
    return (
      encodeSourceSettings(list) ?? (list.length > 8 ? new Uint8Array(MAX_SETTINGS_BYTES + 1) : undefined)
    );
  } catch {
    return undefined;
  }
}
