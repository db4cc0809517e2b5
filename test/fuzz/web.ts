/** What the page's server reads: `readMessage` of its WebSocket, and `Guard` with the Host and the Origin that a browser sends. */
import { isIP } from 'node:net';
import { Guard } from '../../host/web/guard.js';
import { MAX_TOKEN_CHARS, readMessage } from '../../host/web/messages.js';
import type { HttpRequest } from '../../host/web/ports.js';
import { alteredText } from './alter.js';
import { ensure, mutated, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const KEYS = ['ask', 'call', 'stop', 'token', 'device', 'limit', 'id', 'level'];

function message(dice: Dice): Uint8Array {
  const ask = dice.below(1000);
  return dice.pick([
    text({ ask, call: 'status' }),
    text({ ask, call: 'fleet' }),
    text({ ask, call: 'unlock', token: dice.text(20) }),
    text({ ask, call: 'quarantine-show', id: `${dice.below(9)}-${dice.below(1e5)}` }),
    text({ ask, call: 'readings', device: 'cellar', limit: 5000 }),
    text({ stop: ask }),
  ]);
}

const messages = mutated('any message of a page: what it wants, or nothing', {
  pool: dice => Array.from({ length: 60 }, () => message(dice)),
  words: words(
    '{"ask":1,"call":"fleet"}',
    '{"stop":2147483648}',
    '"ask":-1',
    '"token":',
    '"__proto__":1,',
    '1e99',
    'null',
    '[',
    '{',
    '"',
  ),
  mixed: true,
  check(bytes, dice) {
    const plain = Buffer.from(bytes).toString('utf8');
    const read = readMessage((dice.oneIn(2) && alteredText(plain, dice, KEYS)) || plain);
    if (read === undefined) return false;
    const number = read.call === 'stop' ? read.stop : read.ask;
    ensure(Number.isInteger(number) && number >= 0 && number < 2 ** 31, `numbered ${number}`);
    if (read.call === 'unlock')
      ensure(typeof read.token === 'string' && read.token.length <= MAX_TOKEN_CHARS, 'a token out of bounds');
    if (read.call === 'control' && 'fault' in read.request)
      ensure(read.request.message.length > 0 && read.request.message.length < 500, 'a fault without words');
    return true;
  },
});

const NAMES = ['gateway.lan', 'gw-1'];
const OURS = new Set(['localhost', ...NAMES]);

/** Whether a browser that shows this in its bar is at this machine: read as a URL, which the guard does not do. */
function leadsHere(host: string): boolean {
  if (!URL.canParse(`http://${host}/`)) return false;
  const { hostname } = new URL(`http://${host}/`);
  return isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || OURS.has(hostname.replace(/\.$/, ''));
}

const hosts = mutated('any Host and Origin: only what leads here, and only its own page', {
  pool: dice =>
    Array.from({ length: 40 }, () => {
      const name = dice.pick([
        '127.0.0.1',
        '[::1]',
        'localhost',
        'gateway.lan',
        '192.168.1.7',
        'evil.example',
      ]);
      return new TextEncoder().encode(dice.oneIn(2) ? name : `${name}:${dice.below(65_536)}`);
    }),
  words: words(
    ':8480',
    '.evil.example',
    '@',
    '#',
    '/',
    '?',
    '\\',
    '%00',
    '[',
    ']',
    'localhost',
    '127.0.0.1',
    ':',
    '.',
    ' ',
    '\t',
    'http://',
  ),
  maxBytes: 300,
  mixed: true,
  check(bytes, dice) {
    const host = Buffer.from(bytes).toString('latin1').toLowerCase();
    const origin = dice.pick([
      `http://${host}`,
      `https://${host}`,
      `http://evil.example/${host}`,
      `http://${host}.evil`,
      host,
      '',
    ]);
    const request: HttpRequest = {
      method: 'GET',
      path: '/socket',
      host,
      peer: '127.0.0.1',
      header: name => (name === 'origin' ? origin : undefined),
    };
    const guard = new Guard(NAMES);
    const ours = guard.isOurs(request);
    ensure(!ours || leadsHere(host), `takes the Host ${JSON.stringify(host)}`);
    const page = guard.isOurPage(request);
    ensure(
      !page || (ours && new URL(origin).host === host),
      `takes the Origin ${JSON.stringify(origin)} at ${host}`,
    );
    return ours;
  },
});

export const web: Target = { name: 'web', properties: [messages, hosts] };
