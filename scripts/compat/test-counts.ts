import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { promisify } from 'node:util';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of the tests that failed, with their file. */
  readonly failures: readonly string[];
  /** Why the run does not count as passed even where no test failed. */
  readonly problem?: string;
}

const run = promisify(execFile);

/** Reads vitest's JSON report by the script that CI reads it with, so that both mean the same by "passed". */
export async function countTests(root: string, folder: string, report: string): Promise<TestCounts> {
  const script = `${root}/scripts/print-test-counts.mjs`;
  const { stdout, stderr } = await run(process.execPath, [script, `${folder}/${report}`]).catch(
    // It fails where a test failed, and says the same.
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  const number = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(stdout)?.[1] ?? 0);
  const problem = stderr.trim();
  return {
    passed: number('passed'),
    failed: number('failed'),
    skipped: number('skipped'),
    failures: await failuresIn(folder, report).catch(() => []),
    ...(problem ? { problem } : {}),
  };
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function failuresIn(folder: string, report: string): Promise<string[]> {
  const { testResults } = JSON.parse(await readFile(`${folder}/${report}`, 'utf8')) as Report;
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName }) => `${relative(folder, name)}: ${fullName}`),
  );
}
