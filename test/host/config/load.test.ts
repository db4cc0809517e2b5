import test from 'ava';
import { loadConfig, readBrokerAccess } from '../../../host/config/load.js';
import { parseConfig } from '../../../host/config.js';

const files = (contents: Record<string, string>) => async (path: string) => contents[path];
const GOOD = 'site: s\ngateway: g\n';

test('finds config.yaml in the working directory, then that of the system, or what is named', async t => {
  const both = { '/w/config.yaml': GOOD, '/etc/sovereign/config.yaml': GOOD, '/w/x.yaml': GOOD };
  t.is((await loadConfig(files(both), '/w')).file, '/w/config.yaml');
  t.is((await loadConfig(files(both), '/elsewhere')).file, '/etc/sovereign/config.yaml');
  t.is((await loadConfig(files(both), '/w', 'x.yaml')).file, '/w/x.yaml');
  await t.throwsAsync(loadConfig(files(both), '/w', 'y.yaml'), {
    code: 'config-missing',
    message: /\/w\/y\.yaml/,
  });
  await t.throwsAsync(loadConfig(files({}), '/w'), { message: /\/w\/config\.yaml and no \/etc/ });
});

test('reads password and TLS texts', async t => {
  const { uplink } = parseConfig(
    `${GOOD}uplink: { broker: mqtts://b, username: u, passwordFile: pw, ca: ca.pem }`,
    '/c/config.yaml',
  );
  const access = await readBrokerAccess(files({ '/c/pw': ' secret \n', '/c/ca.pem': 'PEM\n' }), uplink!);
  t.deepEqual(access, { username: 'u', password: ' secret ', tls: { ca: 'PEM\n' } });
  await t.throwsAsync(readBrokerAccess(files({ '/c/pw': 'x' }), uplink!), {
    code: 'uplink-file',
    message: 'uplink.ca: /c/ca.pem is not there',
  });
  await t.throwsAsync(readBrokerAccess(files({ '/c/pw': '\n' }), uplink!), { message: /empty/ });
});

test('password and key are secrets, certificates are not', async t => {
  const { uplink } = parseConfig(
    `${GOOD}uplink: { broker: mqtts://b, username: u, passwordFile: pw, ca: ca.pem, cert: c.pem, key: k.pem }`,
    '/c/config.yaml',
  );
  const asked: string[] = [];
  await readBrokerAccess(async (path, _, confidence) => {
    asked.push(`${path} ${confidence}`);
    return 'text';
  }, uplink!);
  t.deepEqual(asked, ['/c/pw secret', '/c/ca.pem public', '/c/c.pem public', '/c/k.pem secret']);
});
