/** What the metrics need of this machine: a listener, and who may ask it. */
import { isLoopback } from '../config/web.js';
import type { MetricsConfig } from '../config.js';
import type { Log } from '../ports.js';
import { Guard, guardedSource } from '../web/guard.js';
import type { HttpSource } from '../web/ports.js';
import { HttpListener } from './http.js';
import { hostNames } from './machine.js';

/** Those who scrape are few, and what each leaves unread may be megabytes. */
const MAX_CONNECTIONS = 8;

/**
 * Nothing secret stands in the metrics, but names and states of devices are not for every web site whose page somebody has open
 * in a browser here. Such a page gets them by a name of its own that it has lead to us (DNS rebinding), as `Guard` tells.
 *
 * - On loopback, whoever asks is on this machine, or comes through a tunnel or a proxy on it, and asks by an address, `localhost`
 *   or a name that somebody chose and can add. Any other name is refused.
 * - Elsewhere, Prometheus asks by whatever name the network has for this machine (`pi.lan`, its full name, what a service
 *   discovery says), which we can't know: refusing what is unknown would end scrapes that work, at an upgrade. Everybody in that
 *   network may read them anyway. With `names` given, it is as on loopback.
 * - Nothing else tells a browser from Prometheus: a page may set any header where the browser takes us for its own server, and
 *   sends no `Sec-Fetch-Site` to what is not HTTPS.
 */
export function openMetrics({ listen, names }: MetricsConfig, log: Log): HttpSource {
  const source = new HttpListener(
    { ...listen, setting: 'metrics.listen', maxConnections: MAX_CONNECTIONS },
    log,
  );
  if (names.length === 0 && !isLoopback(listen.host)) return source;
  return guardedSource(source, new Guard([...hostNames(), ...names]), 'metrics.names');
}
