/**
 * Prints "N passed, N failed" from vitest's JSON report as the last word on a test run, and fails when a test failed,
 * or when nothing proves that any ran.
 *
 *   node scripts/print-test-counts.mjs reports/tests.json reports/faults.json
 *
 * The fault suite writes a report of the same shape, with a round as a test.
 */
import { readFileSync } from 'node:fs';

const files = process.argv.length > 2 ? process.argv.slice(2) : ['reports/tests.json'];

/** The counts, and why the run does not count as passed even where no test failed. */
function read(file) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return { passed: 0, failed: 0, skipped: 0, problem: `no report of a test run in ${file}: ${error.message}` };
  }
  const passed = report.numPassedTests ?? 0;
  const failed = report.numFailedTests ?? 0;
  const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
  // A file that does not load, or does not compile, has no test that could fail.
  const broken = (report.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const problem =
    broken.length > 0
      ? `failed outside of any test: ${broken.map(({ name }) => name).join(', ')}`
      : passed + failed === 0
        ? `the report in ${file} has no test`
        : report.success
          ? undefined
          : 'the run as a whole failed, see above';
  return { passed, failed, skipped, problem };
}

const counts = files.map(read);
const sum = (field) => counts.reduce((total, count) => total + count[field], 0);
const problems = counts.flatMap(({ problem }) => problem ?? []);
for (const problem of problems) console.error(problem);
const skipped = sum('skipped');
console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = sum('failed') > 0 || problems.length > 0 ? 1 : 0;
