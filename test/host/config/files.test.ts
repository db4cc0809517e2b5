import test from 'ava';
import { secretsIn } from '../../../host/config/files.js';

const GOOD = 'site: s\ngateway: g\n';

test('the secrets that stand in a configuration itself; files that hold them are none', t => {
  t.deepEqual(secretsIn(GOOD), []);
  t.deepEqual(
    secretsIn(
      `${GOOD}uplink: { broker: mqtts://b, username: u, passwordFile: p, key: k }\nweb: { tokenFile: t }`,
    ),
    [],
  );
  t.deepEqual(
    secretsIn(`${GOOD}web: { token: 0123456789abcdef }
uplink: { broker: mqtt://b, username: u, password: p }
links: { mqtt: { broker: mqtt://c, username: u, password: q } }`),
    ['links.mqtt.password', 'uplink.password', 'web.token'],
  );
});
