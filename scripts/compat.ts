/**
 * `npm run test:compat`: the tests on other versions of MongoDB, mongoose and Node. See CONTRIBUTING.md.
 *
 *   npm run test:compat -- --mongod 5.0.32=/opt/mongodb-5.0/bin/mongod
 *   npm run test:compat -- --only 6.0.27/8/22 --project unit
 *   npm run test:compat -- --only 6.0.27/8/22 test/integration/put/session.test.ts
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import Table from 'cli-table3';
import { InvalidArgumentError, Option, program } from 'commander';

import { stopOnSignal } from '../dev/stop-on-signal.js';
import { chooseCombinations, nameOf, type Choice, type Combination } from './compat/combination.js';
import { runCombination, type CombinationResult } from './compat/run-combination.js';

interface Arguments {
  readonly all?: boolean;
  readonly only?: string[];
  readonly mongod?: Map<string, string>;
  readonly allowSkips?: boolean;
  readonly project?: string[];
}

program
  .description('Runs the tests on other versions of MongoDB, mongoose and Node, each combination in a copy of its own.')
  .argument('[files...]', 'only the test files whose names hold one of these')
  .option('--all', 'every combination of the versions, and not three that have each version once')
  .option(
    '--only <mongod/mongoose/node>',
    'this combination, of any versions; may be given again: 6.0.27/8.16.0/22',
    add,
  )
  .addOption(
    new Option('--mongod <version=path>', 'a server that is here, may be given again; others are downloaded')
      .env('COMPAT_MONGOD')
      .argParser(addMongod),
  )
  .option('--project <name>', "only this one of vitest's projects; may be given again", add)
  .option('--allow-skips', 'do not fail where a server cannot be had')
  .action(main);

function add(text: string, sofar: readonly string[] = []): string[] {
  return [...sofar, text];
}

/** `5.0.32=/path`, or several with commas between them, as COMPAT_MONGOD has them. */
function addMongod(text: string, sofar = new Map<string, string>()): Map<string, string> {
  const added = text.split(',').map((part) => /^(\d+\.\d+\.\d+)=(.+)$/.exec(part));
  if (added.includes(null)) throw new InvalidArgumentError('Expected version=path, for example 5.0.32=/opt/bin/mongod');
  return new Map([...sofar, ...added.map((match) => [match?.[1] ?? '', match?.[2] ?? ''] as const)]);
}

async function main(files: string[], { mongod: mongods = new Map(), project: projects = [], ...choice }: Arguments) {
  const root = join(import.meta.dirname, '..');
  const combinations = chosen(choice);
  const stop = stopOnSignal();
  const results: CombinationResult[] = [];
  try {
    for (const [index, combination] of combinations.entries()) {
      console.log(`\n${nameOf(combination)} (${index + 1} of ${combinations.length})`);
      const say = (line: string): void => console.log(`  ${line}`);
      results.push(await runCombination(combination, { root, mongods, projects, files, signal: stop, say }));
    }
  } catch (error) {
    if (!stop.aborted) throw error;
    process.exitCode = 130;
  }
  console.log(`\n${tableOf(results)}`);
  const report = join(root, 'reports', 'compat.json');
  await mkdir(join(root, 'reports'), { recursive: true });
  await writeFile(report, `${JSON.stringify({ at: new Date().toISOString(), results }, null, 2)}\n`);
  console.log(`In full: ${report}`);
  const bad = results.filter(({ result }) => result === 'failed' || (result === 'skipped' && !choice.allowSkips));
  if (bad.length > 0) process.exitCode ||= 1;
}

function chosen(choice: Choice): readonly Combination[] {
  try {
    return chooseCombinations(choice);
  } catch (error) {
    if (error instanceof RangeError) program.error(error.message);
    throw error;
  }
}

function tableOf(results: readonly CombinationResult[]): string {
  const head = [
    'combination',
    'mongod',
    'mongoose',
    'mongodb',
    'Node',
    'passed',
    'failed',
    'skipped',
    'seconds',
    'result',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { combination, result, reason, seen, steps, seconds } of results) {
    const tests = steps.find((step) => step.tests)?.tests;
    const why = reason
      ? firstLine(reason)
      : steps
          .filter(({ ok }) => !ok)
          .map(({ name }) => name)
          .join(', ');
    table.push([
      combination,
      ...[seen?.mongod, seen?.mongoose, seen?.driver, seen?.node].map((version) => version ?? '-'),
      ...[tests?.passed, tests?.failed, tests?.skipped].map((count) => count ?? '-'),
      seconds,
      why ? `${result}: ${why}` : result,
    ]);
  }
  return table.toString();
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/\. Tried:$/, '');
}

await program.parseAsync();
