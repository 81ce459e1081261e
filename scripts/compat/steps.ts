import type { Combination } from './combination.js';

/** A command that is run in the working copy of a combination; it fails where its exit code is not 0. */
export interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Where it writes the results of tests, as JSON of vitest. */
  readonly report?: string;
}

export interface WhichTests {
  /** Projects of vitest; all that run on the combination where it is empty. */
  readonly projects?: readonly string[];
  /** Names of test files, or parts of them. */
  readonly files?: readonly string[];
}

/**
 * What is run for a combination, in this order. To run more on every combination, add a step here.
 *
 * With mongoose 8 the tests themselves are not compiled: they are written for the types of mongoose 9 and of its
 * driver. The library, its type tests and its examples are, by tsconfig.mongoose8.json.
 */
export function stepsFor({ mongoose }: Combination, { projects = [], files = [] }: WhichTests = {}): readonly Step[] {
  const older = mongoose.startsWith('8');
  // Those that `npm test` runs. Given to it they would be added to its own.
  const all = older ? ['unit', 'integration', 'package'] : ['!brokers'];
  const report = 'reports/tests.json';
  const tests: Step = {
    name: 'tests',
    command: [
      ...(['npx', '--no', '--', 'vitest', 'run'] as const),
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
      ...(projects.length > 0 ? projects : all).flatMap((project) => ['--project', project]),
      ...files,
    ],
    report,
  };
  // Who asks for some of the tests wants nothing else.
  if (projects.length > 0 || files.length > 0) return [tests];
  return [
    {
      name: 'types',
      command: older ? ['npx', '--no', '--', 'tsc', '-p', 'tsconfig.mongoose8.json'] : ['npm', 'run', 'types'],
    },
    { name: 'build', command: ['npm', 'run', 'build'] },
    tests,
    // A short run under faults: of the processes, and of the server.
    ...['processes', 'tiny log'].map((round): Step => ({
      name: `faults ${round}`,
      command: ['npm', 'run', 'test:faults', '--', '--only', round],
    })),
  ];
}
