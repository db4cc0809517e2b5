import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { WebConfig } from '../../../host/config.js';
import { silentLog } from '../../../host/node/log.js';
import { openPage } from '../../../host/node/page.js';
import { Authority } from '../../support/certificates.js';
import { needs } from '../../support/needs.js';

const config = (some: Partial<WebConfig> = {}): WebConfig => ({
  listen: { host: '127.0.0.1', port: 0 },
  guarded: false,
  names: [],
  ...some,
});

async function directoryOf(t: { teardown(undo: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'page-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('a token comes from its file, which nobody else may read, and is long enough', async t => {
  const tokenFile = join(await directoryOf(t), 'token');
  const opened = () => openPage(config({ tokenFile }), silentLog);
  await t.throwsAsync(opened(), { code: 'web-file', message: /web\.tokenFile: .*token is not there/ });
  await writeFile(tokenFile, 'short\n', { mode: 0o600 });
  await t.throwsAsync(opened(), { code: 'web-token', message: /holds 5 signs/ });
  await writeFile(tokenFile, 'long-enough-for-anybody\r\n');
  t.is((await opened()).options.token, 'long-enough-for-anybody');
  await chmod(tokenFile, 0o644);
  await t.throwsAsync(opened(), { code: 'secret-readable' });
});

test('with a certificate it is served over TLS; one that does not fit its key is refused', async t => {
  if (needs(t, 'openssl') === undefined) return;
  const authority = await Authority.create(await directoryOf(t), 'authority');
  const own = await authority.issue('own');
  const other = await authority.issue('other');
  const mixed = await openPage(config({ cert: own.certFile, key: other.keyFile }), silentLog);
  const handler = { request: () => ({ status: 200, headers: {}, body: 'sealed' }) };
  await t.throwsAsync(mixed.source.start(handler), {
    code: 'tls-invalid',
    message: /^web\.cert and web\.key: /,
  });

  const { source } = await openPage(config({ cert: own.certFile, key: own.keyFile }), silentLog);
  await source.start(handler);
  t.teardown(() => source.stop());
  const ca = await authority.text();
  const text = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port: source.port, ca }, response => {
      response.setEncoding('utf8').once('data', resolve);
    }).on('error', reject);
  });
  t.is(text, 'sealed');
});
