import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** One gateway for each outside library: whoever wants to know what we use of it has one place to look. */
const valueOfMongoose = {
  name: 'mongoose',
  allowTypeImports: true,
  message: 'Only src/schema, src/options.ts and src/service-outbox.ts import mongoose as a value.',
};
const driver = {
  name: 'mongodb',
  message: "Use mongoose.mongo: the driver must be the one under the user's own mongoose.",
};
const streams = {
  group: ['@most/*'],
  message: 'Only src/tail/tail-stream.ts and src/tail/stream-source.ts import @most.',
};
const typesOfStreams = { ...streams, allowTypeImports: true };

function imports(paths, patterns) {
  return { '@typescript-eslint/no-restricted-imports': ['error', { paths, patterns }] };
}

export default defineConfig(
  globalIgnores(['dist', 'coverage', 'reports']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'off',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Leading underscore: named for the reader, not used.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A function that implements an asynchronous interface is async also where it has nothing to await.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      ...imports([valueOfMongoose, driver], [streams]),
    },
  },
  {
    files: ['src/schema/**/*.ts', 'src/options.ts'],
    rules: imports([driver], [streams]),
  },
  {
    files: ['src/service-outbox.ts'],
    rules: imports([driver], [typesOfStreams]),
  },
  {
    files: ['src/tail/tail-stream.ts', 'src/tail/stream-source.ts'],
    rules: imports([valueOfMongoose, driver], []),
  },
  {
    files: ['test/**/*.ts', 'dev/**/*.ts', 'demo/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts'],
    rules: imports(
      [
        {
          name: 'mongoose8',
          message: 'Its types are one ambient "mongoose" module that merges with mongoose 9: import it by a variable.',
        },
      ],
      [],
    ),
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      // expect(spy.method) and the like.
      '@typescript-eslint/unbound-method': 'off',
      // Tests look into commands and replies as the server has them, which the driver types as any.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      // A type test describes with @ts-expect-error what must not compile, and uses what it declares for nothing.
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
    },
  },
);
