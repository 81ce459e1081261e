import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

import type { Mongod } from '../../dev/mongod.js';
import type { Combination } from './combination.js';
import { runGroup } from './process-group.js';

const exec = promisify(execFile);

/** The repository as it is in the folder now, in one of its own, installed with the versions of a combination. */
export interface WorkingCopy extends AsyncDisposable {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** What was really installed. */
  readonly seen: SeenVersions;
}

export interface SeenVersions {
  readonly mongod: string;
  readonly mongoose: string;
  readonly driver: string;
  readonly node: string;
}

export interface WorkingCopyOptions {
  /** The repository. */
  readonly root: string;
  readonly mongod: Mongod;
  /** Gets what npm writes. */
  readonly log: string;
  readonly signal: AbortSignal;
}

export async function createWorkingCopy(
  combination: Combination,
  { root, mongod, log, signal }: WorkingCopyOptions,
): Promise<WorkingCopy> {
  const parent = await mkdtemp(join(tmpdir(), 'service-outbox-compat-'));
  const dispose = (): Promise<void> => rm(parent, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  try {
    const folder = join(parent, 'copy');
    const temporary = join(parent, 'tmp');
    const nodeFolder = join(parent, 'node');
    await Promise.all([folder, temporary, nodeFolder].map((each) => mkdir(each)));
    await copyFiles(root, folder, signal);

    const npm = async (args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> => {
      const code = await runGroup(['npm', ...args, '--no-audit', '--no-fund'], { cwd, env, log, signal });
      if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}, see ${log}`);
    };
    const outer = withoutNpm(process.env);
    await npm(
      ['install', '--prefix', nodeFolder, '--prefer-offline', nodePackage(combination.node)],
      nodeFolder,
      outer,
    );
    const bin = join(nodeFolder, 'node_modules', nodePackageName(), 'bin');
    const env = {
      ...outer,
      PATH: `${bin}${delimiter}${outer['PATH'] ?? ''}`,
      // Whatever a test that is killed leaves behind goes with the folder.
      TMPDIR: temporary,
      MONGOMS_SYSTEM_BINARY: mongod.binary,
      CI: 'true',
      NO_COLOR: '1',
    };
    await npm(['ci', '--prefer-offline'], folder, env);
    await npm(
      ['install', '--no-save', '--no-package-lock', ...(await mongoosePackages(combination, env))],
      folder,
      env,
    );
    return { folder, env, seen: await seenIn(folder, env, mongod), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** What git knows or would add, changes that are not committed included. */
export async function copyFiles(root: string, folder: string, signal: AbortSignal): Promise<void> {
  const { stdout } = await exec('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    signal,
  });
  for (const file of stdout.split('\0').filter(Boolean)) {
    const from = join(root, file);
    if (!(await stat(from).catch(() => undefined))) continue; // deleted, and that not committed yet
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await cp(from, join(folder, file));
  }
}

/** The plain driver of the tests must be the one under mongoose: two copies of BSON do not know each other's types. */
async function mongoosePackages({ mongoose }: Combination, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { stdout } = await exec('npm', ['view', `mongoose@${mongoose}`, 'version', 'dependencies.mongodb', '--json'], {
    env,
  });
  type View = { readonly version: string; readonly 'dependencies.mongodb': string };
  const found = [JSON.parse(stdout) as View | View[]].flat();
  const newest = found.sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true })).at(-1);
  if (newest === undefined) throw new Error(`there is no mongoose ${mongoose}`);
  return [
    `mongoose@${newest.version}`,
    `mongodb@${newest['dependencies.mongodb']}`,
    // What checks the types takes mongoose 8 from here; where tests want two copies of mongoose, they are still two.
    ...(mongoose.startsWith('8') ? [`mongoose8@npm:mongoose@${newest.version}`] : []),
  ];
}

async function seenIn(folder: string, env: NodeJS.ProcessEnv, mongod: Mongod): Promise<SeenVersions> {
  const look = `
    const [mongoose, driver] = [require('mongoose'), require('mongodb/package.json').version];
    const under = require(require.resolve('mongodb/package.json', { paths: [require.resolve('mongoose')] })).version;
    if (under !== driver) throw new Error('mongoose has mongodb ' + under + ', the tests have ' + driver);
    console.log(JSON.stringify({ mongoose: mongoose.version, driver, node: process.version.slice(1) }));`;
  const { stdout } = await exec('node', ['--eval', look], { cwd: folder, env });
  return { mongod: mongod.version, ...(JSON.parse(stdout) as Omit<SeenVersions, 'mongod'>) };
}

/** The package that has nothing but the binary, which the package `node` fetches with an install script. */
function nodePackageName(): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  return [platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node', platform, process.arch].join('-');
}

function nodePackage(version: string): string {
  return `${nodePackageName()}@${version}`;
}

/** `npm run` tells its children of the package it runs in, which for them is another one. */
export function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = /^(npm_(package|lifecycle|command|execpath|node_execpath|config_local_prefix)|INIT_CWD$|NODE$)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)));
}
