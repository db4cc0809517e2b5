/** The files of the page: a fixed table, held in memory, so that no request ever names a file. */
import { type Digest, toHex } from '../../firmware/seal/index.js';
import type { HttpRequest, HttpResponse } from './ports.js';

/** What is served under which path, and where it lies in `dist/web`. */
export const ASSETS = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/app.js': { file: 'app.js', type: 'text/javascript; charset=utf-8' },
  '/theme.js': { file: 'theme.js', type: 'text/javascript; charset=utf-8' },
  '/style.css': { file: 'style.css', type: 'text/css; charset=utf-8' },
  '/icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
} as const;

export type AssetFile = (typeof ASSETS)[keyof typeof ASSETS]['file'];

/** The bytes of each file: `host/node/page.ts` reads them. */
export type AssetFiles = Readonly<Record<AssetFile, Uint8Array>>;

/**
 * With every answer. Scripts and styles come from here alone and never stand in the page; nothing is asked of anybody else;
 * no text can become markup or script (`trusted-types`); nobody frames the page or learns that it is open.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Changes with the bytes: a browser asks each time, and gets them only when they are new. */
  readonly tag: string;
}

export class Assets {
  readonly #assets = new Map<string, Asset>();

  constructor(digest: Digest, files: AssetFiles) {
    for (const [path, { file, type }] of Object.entries(ASSETS)) {
      const bytes = files[file];
      const hash = new Uint8Array(32);
      digest.sha256(bytes, 0, bytes.length, hash, 0);
      this.#assets.set(path, { type, bytes, tag: `"${toHex(hash.subarray(0, 12))}"` });
    }
  }

  answer(request: HttpRequest): HttpResponse {
    const asset = this.#assets.get(request.path);
    if (asset === undefined) return refusal(404, `there is no ${request.path.slice(0, 100)} here`);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refusal(405, 'GET and HEAD only', { Allow: 'GET, HEAD' });
    const headers = { ...SECURITY_HEADERS, 'Cache-Control': 'no-cache', ETag: asset.tag };
    if (request.header('if-none-match') === asset.tag) return { status: 304, headers, body: '' };
    return { status: 200, headers: { ...headers, 'Content-Type': asset.type }, body: asset.bytes };
  }
}

/** A short text instead of what was asked for. */
export function refusal(status: number, text: string, headers: HttpResponse['headers'] = {}): HttpResponse {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
  return { status, headers: { ...SECURITY_HEADERS, ...type, ...headers }, body: `${text}\n` };
}
