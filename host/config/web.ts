/** Where the page may be served, and under which conditions. */
import { type Path, valueAt } from './document.js';
import { LISTEN } from './schema.js';

/** Whether only programs of this machine reach a listener there. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|(::ffff:127(\.\d{1,3}){3})|(0{0,4}:){2,7}0{0,3}1)$/i.test(host);
}

export function webConflicts(raw: unknown, check: (path: Path, wrong: boolean, text: string) => void): void {
  const has = (key: string) => valueAt(raw, ['web', key]) !== undefined;
  check(['web', 'token'], has('token') && has('tokenFile'), 'keep this or tokenFile, not both');
  check(['web', 'cert'], has('cert') && !has('key'), 'needs web.key as well');
  check(['web', 'key'], has('key') && !has('cert'), 'needs web.cert as well');
  const listen = valueAt(raw, ['web', 'listen']);
  const [, six, name] = (typeof listen === 'string' && LISTEN.exec(listen)) || [];
  const host = six ?? name;
  if (host === undefined || isLoopback(host) || valueAt(raw, ['web', 'insecure']) === true) return;
  const missing = [
    ...(has('token') || has('tokenFile') ? [] : ['web.tokenFile']),
    ...(has('cert') || has('key') ? [] : ['web.cert and web.key']),
  ];
  check(
    ['web', 'listen'],
    missing.length > 0,
    `${host} can be reached from other machines, so it needs ${missing.join(', ')} as well; ` +
      'or listen on 127.0.0.1, or say insecure: true when everybody in this network may see the page',
  );
}
