// Bundles what `tsc` has written to build/: the host's one program and the firmware's modules.
// Packages of the registry stay outside the bundle: some of them carry native parts.
import { chmodSync } from 'node:fs';
import { builtinModules } from 'node:module';

const external = id => builtinModules.includes(id.replace(/^node:/, '')) || !/^[./]|^\0/.test(id);

const executable = {
  name: 'executable',
  writeBundle: ({ file }) => file && chmodSync(file, 0o755),
};

export default [
  {
    input: 'build/host/cli/main.js',
    output: { file: 'dist/sovereign.mjs', format: 'es', banner: '#!/usr/bin/env node' },
    external,
    plugins: [executable],
  },
  {
    input: { seal: 'build/firmware/seal/index.js', device: 'build/firmware/device.js' },
    output: { dir: 'dist/firmware', format: 'es' },
    external,
  },
];
