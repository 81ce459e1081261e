/** `npm run test:mutations`: breaks the library on purpose, one way at a time, and shows that the suite notices. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import Table from 'cli-table3';
import { Command, Option } from 'commander';

import { stopOnSignal } from '../../dev/stop-on-signal.js';
import { MUTATIONS, type Mutation } from './mutations.js';

const TIMEOUT_MS = 10 * 60_000;
const stop = stopOnSignal();

/** What noticed it, or undefined; and how long that took. */
interface Outcome {
  readonly mutation: Mutation;
  readonly caughtBy: string | undefined;
  readonly how: string;
  readonly seconds: number;
}

/** The project's files, with the same packages, where they can be broken. */
function workingCopy(): string {
  const folder = mkdtempSync(join(tmpdir(), 'service-outbox-mutation-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((name) => name !== '')) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(file, join(folder, file));
  }
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  return folder;
}

function apply({ name, edits }: Mutation, folder: string): void {
  for (const { file, find, replace } of edits) {
    const path = join(folder, file);
    const parts = readFileSync(path, 'utf8').split(find);
    if (parts.length !== 2)
      throw new Error(`mutation "${name}": "${find}" occurs ${parts.length - 1} times in ${file}, and not once`);
    writeFileSync(path, parts.join(replace));
  }
}

/** The first violation, or failing test, that the output tells of; undefined where nothing was noticed. */
async function noticed(folder: string, args: readonly string[], sign: RegExp): Promise<string | undefined> {
  const child = spawn('npx', [...args], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const kill = () => process.kill(-(child.pid ?? 0), 'SIGKILL');
  const timer = setTimeout(kill, TIMEOUT_MS);
  stop.addEventListener('abort', kill);
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  stop.removeEventListener('abort', kill);
  clearTimeout(timer);
  stop.throwIfAborted();
  if (code === 0) return undefined;
  const found = sign.exec(output)?.[0].trim();
  // It failed for another reason, which proves nothing.
  if (found === undefined) throw new Error(`${args.join(' ')} ended with ${code}:\n${output.slice(-2_000)}`);
  return found;
}

async function run(mutation: Mutation, seed: number): Promise<Outcome> {
  const started = performance.now();
  const folder = workingCopy();
  const outcome = (caughtBy: string | undefined, how = ''): Outcome => ({
    mutation,
    caughtBy,
    how: how.replaceAll(/\s+/g, ' ').slice(0, 100),
    seconds: Math.round((performance.now() - started) / 1_000),
  });
  try {
    apply(mutation, folder);
    for (const round of mutation.rounds ?? []) {
      const args = ['tsx', 'test/faults/main.ts', '--only', round, '--seed', String(seed)];
      const how = await noticed(folder, args, /^ {2}[a-z ]+: .*/m);
      if (how !== undefined) return outcome(`test:faults, round "${round}"`, how);
    }
    for (const test of mutation.tests ?? []) {
      // The folder of a test has the name of its project.
      const project = test.split('/')[1] as string;
      const how = await noticed(folder, ['vitest', 'run', '--project', project, test], /(?<=FAIL).*/);
      if (how !== undefined) return outcome(test, how.split(' > ').slice(1).join(' > '));
    }
    return outcome(undefined);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const command = new Command('npm run test:mutations --')
  .description('Breaks the library in planted ways and shows which test notices each.')
  .addOption(new Option('--only <name...>', 'these only').choices(MUTATIONS.map(({ name }) => name)))
  .option('--seed <number>', 'of the fault suite', '20261125')
  .allowExcessArguments(false)
  .parse();
const { only, seed } = command.opts<{ only?: string[]; seed: string }>();

const table = new Table({ head: ['broken', 'noticed by', 'how', 'seconds'], style: { head: [], border: [] } });
let missed = 0;
for (const mutation of MUTATIONS.filter(({ name }) => only === undefined || only.includes(name))) {
  const { caughtBy, how, seconds } = await run(mutation, Number(seed));
  if (caughtBy === undefined) missed += 1;
  console.log(`${mutation.name}: ${caughtBy ?? 'NOT NOTICED'} (${seconds} s) ${how}`);
  table.push([mutation.name, caughtBy ?? 'nothing', how, seconds]);
}
console.log(table.toString());
console.log(`${table.length - missed} of ${table.length} noticed`);
process.exitCode = missed > 0 ? 1 : 0;
