// Bundles what `tsc` has written to build/: the host's one program, the firmware's modules, and the page.
// Packages of the registry stay outside the host's bundle: some of them carry native parts. The page has its own inside.
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { resolve } from 'node:path';

const external = id => builtinModules.includes(id.replace(/^node:/, '')) || !/^[./]|^\0/.test(id);

const PROGRAM = 'dist/sovereign.mjs';

/** Chunks of an earlier build may have other names. */
const fresh = {
  name: 'fresh',
  generateBundle: () => rmSync('dist/parts', { recursive: true, force: true }),
};

const executable = {
  name: 'executable',
  writeBundle: () => chmodSync(PROGRAM, 0o755),
};

const UPLOT = 'node_modules/uplot/dist';

/** The page takes one package, which a browser can't look up. */
const inside = {
  name: 'inside',
  resolveId: id => (id === 'uplot' ? resolve(UPLOT, 'uPlot.esm.js') : null),
};

/** What of the page is no script. */
const assets = {
  name: 'assets',
  generateBundle() {
    const read = file => readFileSync(file, 'utf8');
    const emit = (fileName, source) => this.emitFile({ type: 'asset', fileName, source });
    for (const name of ['index.html', 'icon.svg']) emit(name, read(`host/web/page/${name}`));
    emit('style.css', `${read(`${UPLOT}/uPlot.min.css`)}\n${read('host/web/page/style.css')}`);
  },
};

export default [
  {
    // Each command is a part of its own, loaded when it is run.
    input: { sovereign: 'build/host/cli/main.js' },
    output: {
      dir: 'dist',
      format: 'es',
      entryFileNames: '[name].mjs',
      chunkFileNames: 'parts/[name].mjs',
      banner: chunk => (chunk.isEntry ? '#!/usr/bin/env node' : ''),
    },
    external,
    plugins: [fresh, executable],
  },
  {
    input: { seal: 'build/firmware/seal/index.js', device: 'build/firmware/device.js' },
    output: { dir: 'dist/firmware', format: 'es' },
    external,
  },
  {
    input: { app: 'build/page/host/web/page/main.js', theme: 'build/page/host/web/page/theme.js' },
    output: { dir: 'dist/web', format: 'es' },
    plugins: [inside, assets],
  },
];
