/** The stream of one sovereign-sdk connection: `SdkLink`, however it is cut and however often the journal is busy. */
import { Counters } from '../../host/intake/counters.js';
import { MAX_SDK_LINE_BYTES } from '../../host/intake/sdk-frame.js';
import type { SdkIntake } from '../../host/intake/sdk-intake.js';
import { SdkLink } from '../../host/intake/sdk-link.js';
import type { Clock, Link } from '../../host/ports.js';
import { chunks, ensure, mutated, same, type Target } from './core.js';
import { words } from './mutate.js';
import { sdkFrame } from './sdk.js';

/** A clock with one timer, which is all that a link uses. */
class OneTimer implements Clock {
  run: (() => void) | undefined;
  now = () => 0;
  monotonic = () => 0;
  after = (_ms: number, run: () => void) => {
    ensure(this.run === undefined, 'two timers at once');
    this.run = run;
    return { cancel: () => this.clear() };
  };
  clear(): void {
    this.run = undefined;
  }
  fire(): boolean {
    const { run } = this;
    this.clear();
    run?.();
    return run !== undefined;
  }
}

interface Lines {
  readonly taken: Uint8Array[];
  oversizedBytes: number;
  oversized: number;
}

function expected(stream: Uint8Array): Lines {
  const lines: Lines = { taken: [], oversizedBytes: 0, oversized: 0 };
  for (let at = 0, end = stream.indexOf(10); ; at = end + 1, end = stream.indexOf(10, at)) {
    const line = stream.subarray(at, end < 0 ? stream.length : end);
    if (line.length > MAX_SDK_LINE_BYTES) {
      lines.oversizedBytes += line.length;
      if (end >= 0) lines.oversized++;
    } else if (end >= 0 && line.length > 0) lines.taken.push(line);
    if (end < 0) return lines;
  }
}

const streams = mutated('any stream, cut anywhere, with a journal that is busy at times: the same lines', {
  pool: dice =>
    Array.from({ length: 120 }, () => {
      const parts: Uint8Array[] = [];
      for (let n = 1 + dice.below(4); n > 0; n--) {
        if (dice.oneIn(30)) parts.push(new Uint8Array(MAX_SDK_LINE_BYTES - 2 + dice.below(5)).fill(0x41));
        else parts.push(sdkFrame(dice));
        if (!dice.oneIn(12)) parts.push(Uint8Array.of(10));
      }
      return Buffer.concat(parts);
    }),
  words: words('\n', '\n\n', '\r\n', [0], '{"alg":"hmac-sha256","d":{}'),
  maxBytes: 12_000,
  check(stream, dice) {
    const clock = new OneTimer();
    const counters = new Counters();
    const taken: Uint8Array[] = [];
    const busy = dice.pick([0, 2, 2, 3, 10]);
    let calls = 0;
    let held = 0;
    let paused = 0;
    const intake = {
      take(bytes: Uint8Array, from: number, to: number) {
        calls++;
        if (busy > 0 && dice.oneIn(busy)) return 'busy';
        taken.push(bytes.slice(from, to));
        return dice.oneIn(2) ? 'authentic' : 'refused';
      },
      reserve(bytes: number) {
        held += bytes;
        ensure(held <= stream.length, `${held} bytes are held of ${stream.length}`);
        return true;
      },
      release(bytes: number) {
        held -= bytes;
      },
    } as unknown as SdkIntake;
    const none = () => undefined;
    const link: Link = {
      name: 'sdk:test',
      pendingBytes: 0,
      send: none,
      pause() {
        paused++;
      },
      resume() {
        paused = 0;
      },
      close: none,
    };
    let ended = 0;
    const sdk = new SdkLink(clock, link, intake, counters, none, () => void ended++);
    for (const piece of chunks(stream, dice)) {
      sdk.data(piece);
      ensure((clock.run !== undefined) === paused > 0, 'waits and reads on, or the other way round');
      if (dice.oneIn(3)) clock.fire();
    }
    sdk.closed();
    let turns = 0;
    while (clock.fire()) ensure(++turns <= 10_000, 'never done');
    ensure(ended === 1 && held === 0, `ended ${ended} times, ${held} bytes still held`);
    ensure(calls <= taken.length * (busy === 0 ? 1 : 1000), `${calls} calls`);
    const want = expected(stream);
    ensure(taken.length === want.taken.length, `${taken.length} lines, not ${want.taken.length}`);
    for (const [i, line] of taken.entries()) ensure(same(line, want.taken[i]), `line ${i} differs`);
    ensure(sdk.lines === taken.length, 'lines are miscounted');
    const { oversizedBytes } = want;
    ensure(
      sdk.oversizedBytes === oversizedBytes,
      `${sdk.oversizedBytes} bytes too long, not ${oversizedBytes}`,
    );
    return taken.length > 0;
  },
  mixed: true,
});

export const sdkLink: Target = { name: 'sdk-link', properties: [streams] };
