/** LED and switch of the gateway's case, and Home Assistant: what holds between their settings and others. */
import { type Path, valueAt } from './document.js';

/** What is on the GPIO lines of this machine. */
export interface PanelConfig {
  /** The label of the GPIO chip whose lines are meant; absent: that of the machine's header. */
  readonly chip?: string | undefined;
  /** Lines of the chip, on a Raspberry Pi the BCM numbers. */
  readonly led?: { readonly gpio: number; readonly activeLow: boolean } | undefined;
  readonly enclosure?:
    | {
        readonly gpio: number;
        readonly openWhen: 'high' | 'low';
        readonly debounceMs: number;
      }
    | undefined;
}

/** As Home Assistant has it. */
export const DEFAULT_PREFIX = 'homeassistant';

export interface HomeAssistantConfig {
  /** Of its discovery topics. */
  readonly prefix: string;
}

type Check = (path: Path, wrong: boolean, text: string) => void;

export function panelConflicts(raw: unknown, check: Check): void {
  const led = valueAt(raw, ['panel', 'led', 'gpio']);
  const enclosure = ['panel', 'enclosure', 'gpio'];
  check(
    enclosure,
    led !== undefined && led === valueAt(raw, enclosure),
    'must differ from panel.led.gpio; a line is an output or an input',
  );
}

export function homeAssistantConflicts(raw: unknown, check: Check): void {
  const section = ['homeAssistant'];
  const wanted = valueAt(raw, section) !== undefined;
  check(
    section,
    wanted && valueAt(raw, ['uplink']) === undefined,
    'needs an uplink to Home Assistant’s broker',
  );
  check(
    section,
    wanted && valueAt(raw, ['uplink', 'readingTopic']) === false,
    'publishes readings that people can read, which uplink.readingTopic: false turns off; remove one of the two',
  );
}
