/**
 * A loop around the `mqtt` package as it comes: subscribes to everything and counts. `node bare-subscriber.js URL ID COUNT` ends
 * after so many messages; 0: never.
 */
import mqtt from 'mqtt';

const [url, clientId, count] = process.argv.slice(2);
const client = mqtt.connect(url, {
  protocolVersion: 5,
  clientId,
  clean: false,
  reconnectPeriod: 0,
  properties: { receiveMaximum: 1000, sessionExpiryInterval: 3600 },
});
let came = 0;
client.on('message', () => {
  came++;
  if (came === Number(count)) setImmediate(() => client.end());
});
client.on('connect', () => {
  process.stdout.write('connected\n');
  client.subscribe('#', { qos: 1 });
});
client.on('close', () => process.exit(0));
