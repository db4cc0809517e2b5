/** What the page needs of this machine: its files, its token, its certificate, its names, and a listener. */
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WebConfig } from '../config.js';
import { Fault } from '../fault.js';
import type { Log } from '../ports.js';
import { ASSETS, type AssetFile, type AssetFiles } from '../web/assets.js';
import type { HttpSource } from '../web/ports.js';
import type { WebOptions } from '../web/server.js';
import { HttpListener, type HttpOptions } from './http.js';
import { hostNames } from './machine.js';
import { readBytesFile, readTextFile } from './text-file.js';

const MAX_SECRET_BYTES = 256 * 1024;
const MAX_ASSET_BYTES = 4 * 1024 * 1024;
const TOKEN = /^[!-~]{16,256}$/;

export interface Page {
  readonly source: HttpSource;
  readonly files: AssetFiles;
  readonly options: WebOptions;
}

/** @throws Fault `web-file` for a file of the configuration, `web-token`, `page-missing` when this program was copied without it */
export async function openPage(web: WebConfig, log: Log): Promise<Page> {
  const token = web.token ?? (await tokenOf(web));
  const [cert, key] = [await settingText(web, 'cert'), await settingText(web, 'key')];
  const options: HttpOptions = {
    ...web.listen,
    setting: 'web.listen',
    ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
  };
  return {
    source: new HttpListener(options, log),
    files: await assetFiles(),
    options: {
      ...(token !== undefined && { token }),
      guarded: web.guarded,
      names: [...hostNames(), ...web.names],
    },
  };
}

async function tokenOf(web: WebConfig): Promise<string | undefined> {
  // An editor ends the file with a newline that is not part of the token.
  const token = (await settingText(web, 'tokenFile'))?.trim();
  if (token === undefined || TOKEN.test(token)) return token;
  throw new Fault(
    'web-token',
    `web.tokenFile: ${web.tokenFile} holds ${token.length} signs, expected one line of 16 to 256 without spaces`,
    `make one with: (umask 077; openssl rand -hex 16 > ${web.tokenFile})`,
  );
}

async function settingText(
  web: WebConfig,
  setting: 'tokenFile' | 'cert' | 'key',
): Promise<string | undefined> {
  const path = web[setting];
  if (path === undefined) return undefined;
  const text = await readTextFile(path, MAX_SECRET_BYTES, setting === 'cert' ? 'public' : 'secret');
  if (text !== undefined && text.trim() !== '') return text;
  throw new Fault(
    'web-file',
    `web.${setting}: ${path} ${text === undefined ? 'is not there' : 'is empty'}`,
    `put the ${setting === 'tokenFile' ? 'token' : 'PEM text'} there or mend the path`,
  );
}

/** @throws Fault `page-missing` */
export async function assetFiles(): Promise<AssetFiles> {
  const directory = await assetDirectory();
  const read = async ({ file }: { readonly file: AssetFile }) => {
    const bytes = await readBytesFile(join(directory, file), MAX_ASSET_BYTES);
    if (bytes === undefined) throw missing(directory);
    return [file, bytes] as const;
  };
  return Object.fromEntries(await Promise.all(Object.values(ASSETS).map(read))) as AssetFiles;
}

/** `dist/web` of the package that this program is part of, also while it runs from `build/`. */
async function assetDirectory(): Promise<string> {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let at = start; at !== dirname(at); at = dirname(at)) {
    const directory = join(at, 'dist', 'web');
    const there = await access(directory).then(
      () => true,
      () => false,
    );
    if (there) return directory;
  }
  throw missing(start);
}

const missing = (where: string) =>
  new Fault(
    'page-missing',
    `the files of the page are not there (looked from ${where} upwards for dist/web)`,
    'in a checkout, `npm run build` makes them; elsewhere install the package anew, or leave out web: in the configuration',
  );
