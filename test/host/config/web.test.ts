import test from 'ava';
import { isLoopback } from '../../../host/config/web.js';
import { parseConfig } from '../../../host/config.js';

const parsed = (web: string) =>
  parseConfig(`site: a\ngateway: b\nweb: ${web}\n`, '/etc/sovereign/config.yaml').web;

test('what only this machine reaches', t => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])
    t.true(isLoopback(host), host);
  for (const host of [
    '0.0.0.0',
    '::',
    '192.168.1.2',
    '127.0.0.1.example',
    'localhost.example',
    '1270.0.0.1',
    '::2',
    'fe80::1',
  ])
    t.false(isLoopback(host), host);
});

test('on the loopback a page needs nothing, and shows everything', t => {
  t.is(parseConfig('site: a\ngateway: b\n', '/c.yaml').web, undefined);
  t.deepEqual(parsed('{}'), { listen: { host: '127.0.0.1', port: 8480 }, guarded: false, names: [] });
  t.is(parsed('{ listen: "[::1]:80", tokenFile: web-token }')?.tokenFile, '/etc/sovereign/web-token');
});

test('a token that is none is in no message', t => {
  for (const token of ['short-secret', '"the secret of the house"', '1234567890123456'])
    t.throws(() => parsed(`{ token: ${token} }`), {
      message: /web\.token: expected a text of 16 to 256 signs without spaces, got something else$/,
    });
});

test('elsewhere it needs a token and a certificate, or the word that it needs none', t => {
  const refused = (web: string, message: RegExp) => t.throws(() => parsed(web), { message });
  refused(
    '{ listen: 0.0.0.0:8480 }',
    /web\.listen: 0\.0\.0\.0 .* needs web\.tokenFile, web\.cert and web\.key/,
  );
  refused(
    '{ listen: 0.0.0.0:8480, token: 0123456789abcdef }',
    /needs web\.cert and web\.key as well; .*insecure: true/,
  );
  refused('{ listen: gateway.lan:8480, cert: c, key: k }', /needs web\.tokenFile/);
  refused('{ listen: "[::]:8480" }', /web\.listen: ::/);
  t.true(parsed('{ listen: 0.0.0.0:8480, tokenFile: t, cert: c, key: k }')?.guarded);
  t.false(parsed('{ listen: 0.0.0.0:8480, insecure: true }')?.guarded);
});

test('what does not go together is said', t => {
  const refused = (web: string, message: RegExp) => t.throws(() => parsed(web), { message });
  refused('{ token: short }', /web\.token: expected a text of 16 to 256 signs/);
  refused('{ token: 0123456789abcdef, tokenFile: t }', /web\.token: keep this or tokenFile/);
  refused('{ cert: c }', /web\.cert: needs web\.key as well/);
  refused('{ names: ["a b"] }', /web\.names/);
  refused('{ port: 80 }', /port/);
});
