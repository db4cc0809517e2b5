import { execFileSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..'));

/** Reads "key hex, data hex" lines, prints "hash of data, tag, tag of the data in place" lines. */
const PROGRAM = `
#include <stdio.h>
#include <string.h>
#include "native_sha256.h"
static unsigned char key[4096], data[4096];
static size_t hex(const char *text, unsigned char *out) {
  size_t n = 0; unsigned v;
  while (text[2 * n] && text[2 * n] != '-' && sscanf(text + 2 * n, "%2x", &v) == 1) out[n++] = v;
  return n;
}
static void print(const unsigned char *b, char end) { for (int i = 0; i < 32; i++) printf("%02x", b[i]); putchar(end); }
int main(void) {
  static char k[9000], d[9000];
  while (scanf("%8999s %8999s", k, d) == 2) {
    size_t kn = hex(k, key), dn = hex(d, data);
    unsigned char out[32];
    SovereignSha256 hash; SovereignHmacKey mac;
    sovereignSha256Begin(&hash);
    for (size_t i = 0; i < dn; i += 37) sovereignSha256Update(&hash, data + i, dn - i < 37 ? dn - i : 37);
    sovereignSha256End(&hash, out); print(out, ' ');
    sovereignHmacKey(&mac, key, kn);
    sovereignHmac(&mac, data, dn, out); print(out, ' ');
    sovereignHmac(&mac, data, dn, data); print(data, '\\n');
  }
  return 0;
}
`;

test('the native SHA-256 and HMAC agree with node:crypto at every length', t => {
  t.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'sovereign-digest-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const native = join(root, 'firmware/native/digest');
  writeFileSync(join(folder, 'main.c'), PROGRAM);
  const program = join(folder, 'digest');
  const files = [join(folder, 'main.c'), join(native, 'native_sha256.c')];
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', `-I${native}`, '-o', program, ...files]);
  const cases: [Buffer, Buffer][] = [];
  const bytes = (length: number, from: number) => Buffer.from(Array.from({ length }, (_, i) => i * 7 + from));
  for (let length = 0; length <= 260; length++) cases.push([bytes(32, length), bytes(length, 3)]);
  for (const length of [0, 1, 31, 63, 64, 65, 100, 200]) cases.push([bytes(length, 1), bytes(73, length)]);
  const text = (b: Buffer) => (b.length > 0 ? b.toString('hex') : '-');
  const input = cases.map(([key, data]) => `${text(key)} ${text(data)}`).join('\n');
  const lines = execFileSync(program, { input, encoding: 'utf8' }).trim().split('\n');
  t.is(lines.length, cases.length);
  for (const [i, [key, data]] of cases.entries()) {
    const hash = createHash('sha256').update(data).digest('hex');
    const tag = createHmac('sha256', key).update(data).digest('hex');
    t.is(lines[i], `${hash} ${tag} ${tag}`, `key of ${key.length}, data of ${data.length} bytes`);
  }
});
