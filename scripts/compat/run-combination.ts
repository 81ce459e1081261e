import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { mongodOfVersion } from '../../dev/mongod.js';
import { nameOf, type Combination } from './combination.js';
import { runGroup } from './process-group.js';
import { stepsFor, type Step, type WhichTests } from './steps.js';
import { countTests, type TestCounts } from './test-counts.js';
import { createWorkingCopy, type SeenVersions, type WorkingCopy } from './working-copy.js';

/** No step takes longer by far: what does has hung. */
const STEP_TIMEOUT_MS = 45 * 60_000;

interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  readonly ended: number | string;
  readonly seconds: number;
  readonly log: string;
  readonly tests?: TestCounts;
}

export interface CombinationResult {
  readonly combination: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or could not even begin. */
  readonly reason?: string;
  readonly seen?: SeenVersions;
  readonly steps: readonly StepResult[];
  readonly seconds: number;
}

export interface RunOptions extends WhichTests {
  readonly root: string;
  /** Paths of servers by their version. */
  readonly mongods: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Runs every step, also after one that failed; rejects only where the signal aborts. */
export async function runCombination(combination: Combination, options: RunOptions): Promise<CombinationResult> {
  const { root, mongods, signal, say } = options;
  const name = nameOf(combination);
  const seconds = stopwatch();
  const logs = join(root, 'reports', 'compat', name.replaceAll('/', '_'));
  await rm(logs, { recursive: true, force: true });
  await mkdir(logs, { recursive: true });

  let mongod;
  try {
    mongod = await mongodOfVersion(combination.mongod, mongods.get(combination.mongod));
  } catch (error) {
    say(`skipped: ${messageOf(error)}`);
    return { combination: name, result: 'skipped', reason: messageOf(error), steps: [], seconds: seconds() };
  }
  let copy: WorkingCopy | undefined;
  try {
    const log = join(logs, 'install.log');
    copy = await createWorkingCopy(combination, { root, mongod, log, signal });
    const { seen } = copy;
    say(`mongod ${seen.mongod}, mongoose ${seen.mongoose}, mongodb ${seen.driver}, Node ${seen.node}: ${seconds()} s`);
    const steps: StepResult[] = [];
    for (const step of stepsFor(combination, options)) {
      const result = await runStep(step, copy, { root, logs, signal });
      steps.push(result);
      say(`${step.name}: ${result.ok ? 'ok' : `failed, see ${result.log}`}, ${result.seconds} s`);
      for (const failure of result.tests?.failures ?? []) say(`  ${failure}`);
    }
    const result = steps.every(({ ok }) => ok) ? 'passed' : 'failed';
    return { combination: name, result, seen, steps, seconds: seconds() };
  } catch (error) {
    signal.throwIfAborted();
    say(`failed: ${messageOf(error)}`);
    return { combination: name, result: 'failed', reason: messageOf(error), steps: [], seconds: seconds() };
  } finally {
    await copy?.[Symbol.asyncDispose]();
  }
}

async function runStep(
  { name, command, report }: Step,
  { folder, env }: WorkingCopy,
  { root, logs, signal }: { readonly root: string; readonly logs: string; readonly signal: AbortSignal },
): Promise<StepResult> {
  const seconds = stopwatch();
  const log = join(logs, `${name}.log`);
  const timeout = AbortSignal.timeout(STEP_TIMEOUT_MS);
  const ended = await runGroup(command, { cwd: folder, env, log, signal: AbortSignal.any([signal, timeout]) });
  signal.throwIfAborted();
  const tests = report === undefined ? undefined : await countTests(root, folder, report);
  const ok = ended === 0 && tests?.failed !== undefined ? tests.failed === 0 && !tests.problem : ended === 0;
  return {
    name,
    ok,
    ended: timeout.aborted ? 'hung' : ended,
    seconds: seconds(),
    log,
    ...(tests ? { tests } : {}),
  };
}

/** Whole seconds since it was made. */
function stopwatch(): () => number {
  const start = performance.now();
  return () => Math.round((performance.now() - start) / 1000);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
