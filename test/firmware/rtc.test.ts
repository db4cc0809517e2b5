import test from 'ava';
import { RtcChip, type RtcDriver } from '../../firmware/rtc.js';

/** As the SDK's DS3231: throws from its constructor and its accessors when the chip is silent; whole seconds. */
class Ds3231 implements RtcDriver {
  static silent = false;
  static opened = 0;
  static closed = 0;
  static now: number | undefined;

  constructor() {
    this.#ask();
    Ds3231.opened++;
  }

  get time(): number | undefined {
    this.#ask();
    return Ds3231.now;
  }

  set time(unixMs: number | undefined) {
    this.#ask();
    Ds3231.now = Math.floor((unixMs ?? 0) / 1000) * 1000;
  }

  close(): void {
    Ds3231.closed++;
    if (Ds3231.silent) throw new Error('close failed');
  }

  #ask(): void {
    if (Ds3231.silent) throw new Error('read failed');
  }
}

test('a clock chip is opened at first use, and anew when it has failed', t => {
  const rtc = new RtcChip(() => new Ds3231());
  t.is(Ds3231.opened, 0);
  Ds3231.silent = true;
  t.is(rtc.read(), -1);
  t.notThrows(() => rtc.set(1_760_000_000_123));
  t.is(Ds3231.opened, 0);

  Ds3231.silent = false;
  t.is(rtc.read(), -1, 'it is stopped');
  rtc.set(1_760_000_000_123);
  t.is(rtc.read(), 1_760_000_000_000);
  t.is(Ds3231.opened, 1);

  Ds3231.silent = true;
  t.is(rtc.read(), -1);
  t.is(Ds3231.closed, 1);
  Ds3231.silent = false;
  t.is(rtc.read(), 1_760_000_000_000);
  t.is(Ds3231.opened, 2);
});

test('a time that is no number, or before 1970, is none', t => {
  for (const time of [Number.NaN, -2_208_988_800_000])
    t.is(new RtcChip(() => ({ time, close: () => {} })).read(), -1);
});
