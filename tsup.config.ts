import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts'],
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
