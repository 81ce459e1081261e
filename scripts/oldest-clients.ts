/** `npm run test:oldest-clients`: the tests of the brokers with the oldest client that each range of peerDependencies allows. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stopOnSignal } from '../dev/stop-on-signal.js';
import { oldestClients } from './compat/oldest-clients.js';
import { runGroup } from './compat/process-group.js';
import { countTests } from './compat/test-counts.js';
import { copyFiles, withoutNpm } from './compat/working-copy.js';

const root = join(import.meta.dirname, '..');
const signal = stopOnSignal();
const { peerDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  peerDependencies: Readonly<Record<string, string>>;
};
const clients = oldestClients(peerDependencies);
console.log(clients.join('\n'));

const folder = await mkdtemp(join(tmpdir(), 'service-outbox-oldest-'));
const log = join(root, 'reports', 'oldest-clients.log');
await mkdir(join(root, 'reports'), { recursive: true });
await rm(log, { force: true });
try {
  const run = (...command: [string, ...string[]]): Promise<number | NodeJS.Signals> =>
    runGroup(command, { cwd: folder, env: { ...withoutNpm(process.env), NO_COLOR: '1' }, log, signal });
  await copyFiles(root, folder, signal);
  const report = 'reports/tests.json';
  const steps: [string, ...string[]][] = [
    ['npm', 'ci', '--prefer-offline', '--no-audit', '--no-fund'],
    // The tests' own tools are for the newest ones, and npm would refuse the old beside them.
    ['npm', 'install', '--no-save', '--no-package-lock', '--legacy-peer-deps', '--no-audit', '--no-fund', ...clients],
    ['npm', 'run', 'test:brokers', '--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ];
  let ended: number | NodeJS.Signals = 0;
  for (const step of steps) if (ended === 0) ended = await run(...step);
  const tests = await countTests(root, folder, report);
  for (const failure of tests.failures) console.log(`  ${failure}`);
  console.log(`${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped; in full: ${log}`);
  if (ended !== 0) process.exitCode = 1;
} catch (error) {
  if (!signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
