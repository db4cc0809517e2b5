import test, { type ExecutionContext } from 'ava';
import { TcpLink } from '../../../firmware/links/tcp.js';
import type { NamedSourceSettings } from '../../../firmware/seal/index.js';
import { silentLog } from '../../../host/node/log.js';
import { systemRandom } from '../../../host/node/random.js';
import { TcpListener } from '../../../host/node/tcp.js';
import { until } from '../../support/cable.js';
import { EmbeddedTcp } from '../../support/embedded-tcp.js';
import { LinkedDevice } from '../../support/link-driver.js';
import { Rig, temporary } from './rig.js';

/** The firmware's device over TCP, with settings waiting for it; what the status then says of them. */
async function settled(t: ExecutionContext, wanted: NamedSourceSettings[]) {
  const device = new LinkedDevice(Number.POSITIVE_INFINITY, 20, { heartbeatMs: 100 });
  const rig = await Rig.start(t, [device.entry], {
    settingsDirectory: temporary(t),
    devices: new Map([['linked', wanted]]),
  });
  const timer = setInterval(() => rig.clock.advance(10), 10);
  t.teardown(() => clearInterval(timer));
  const options = { host: '127.0.0.1', port: 0, prefix: 'tcp' as const, setting: 'test', maxConnections: 8 };
  const listener = new TcpListener(options, silentLog);
  await rig.intake.listenTcp(listener, 8);
  const link = new TcpLink(
    {
      uptime: device.uptime,
      random: systemRandom,
      open: (address, port, on) => new EmbeddedTcp(address, port, on),
    },
    { host: '127.0.0.1', port: listener.port },
    device.events,
  );
  t.teardown(() => device.stop());
  device.start(link);
  link.network(true);
  const status = () => rig.intake.status().devices.find(({ id }) => id === device.id)!.settings;
  await until(() => (status()?.acknowledged ?? 0) > 0 || status()?.fault !== undefined);
  return status();
}

test('settings reach the device code, and its heartbeat acknowledges them', async t => {
  t.deepEqual(await settled(t, []), { version: 1, supported: true, acknowledged: 1 });
});

test('settings that the device cannot take come back with the reason', async t => {
  const status = await settled(t, [{ name: 'nothing-of-ours', periodMs: 1000 }]);
  t.is(status?.version, 1);
  t.regex(status?.fault ?? '', /nothing-of-ours/);
});
