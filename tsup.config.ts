import { readFileSync } from 'node:fs';

import { defineConfig } from 'tsup';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> };

/** The front door, and a file in src/ for each subpath that package.json names. */
const subpaths = Object.keys(exports)
  .filter((path) => path.startsWith('./') && path !== './package.json')
  .map((path) => path.slice(2));

export default defineConfig({
  entry: ['index', ...subpaths].map((name) => `src/${name}.ts`),
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  // Declarations for both module systems; they are built with the Node types that tsconfig.src.json names.
  dts: true,
  tsconfig: 'tsconfig.src.json',
  sourcemap: true,
  clean: true,
  // Sessions, models and BSON types must come from the user's own copy of mongoose.
  external: ['mongoose'],
});
