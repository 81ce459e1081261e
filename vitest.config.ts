import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

/** Tests that import the library by its name get the sources; those in test/package get what was built. */
const sources = {
  alias: [
    { find: /^service-outbox$/, replacement: fileURLToPath(new URL('src/index.ts', import.meta.url)) },
    { find: /^service-outbox\/(.+)$/, replacement: fileURLToPath(new URL('src/$1.ts', import.meta.url)) },
  ],
};

export default defineConfig({
  test: {
    projects: [
      {
        resolve: sources,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/fixed-seed.ts'],
        },
      },
      {
        resolve: sources,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // All files share one server: more of them at once only makes each of them slow.
          maxWorkers: 2,
          // vitest wants a group of its own for a project with its own number of workers.
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: sources,
        test: {
          name: 'types',
          // These files are compiled, not run.
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: 'tsconfig.json',
          },
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        resolve: sources,
        test: {
          name: 'brokers',
          include: ['test/brokers/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          // A broker may take a minute to start again on a busy machine, and then says why it did not.
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // Each file starts a broker of its own, and some of them are a whole JVM.
          maxWorkers: 2,
          sequence: { groupOrder: 5 },
        },
      },
      {
        test: {
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          // The largest takes a few seconds, where nothing else wants the processor.
          testTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'html'],
    },
  },
});
