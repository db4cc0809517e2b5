// Bundles what `tsc` has written to build/: the host's one program and the firmware's modules.
// Packages of the registry stay outside the bundle: some of them carry native parts.
import { chmodSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';

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
];
