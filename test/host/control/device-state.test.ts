import test from 'ava';
import { deviceState } from '../../../host/control/device-state.js';

const of = (more: Partial<Parameters<typeof deviceState>[0]>) =>
  deviceState({
    id: '00000000000000aa',
    name: 'probe',
    readings: 1,
    gaps: 0,
    silent: false,
    online: false,
    counts: {},
    ...more,
  });

test('a device stands in one way', t => {
  t.is(of({ online: true, heardAt: 1, firmware: '0.1.0' }), 'online');
  t.is(of({ heardAt: 1, firmware: '0.1.0' }), 'offline', 'its session has ended');
  t.is(of({}), 'offline', 'not heard since the gateway began');
  t.is(of({ sdk: true, heardAt: 1 }), 'heard', 'a sensor of sovereign-sdk has no sessions');
  t.is(of({ silent: true, heardAt: 1, firmware: '0.1.0' }), 'silent');
  const { name: _, ...removed } = { id: '00000000000000aa', readings: 1, gaps: 0, counts: {}, name: 0 };
  t.is(deviceState({ ...removed, online: true, silent: true }), 'removed');
});
