import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

const outputs = ['index.js', 'index.cjs', 'index.d.ts', 'index.d.cts'].map((file) => join(root, 'dist', file));

/** Builds `dist` where it is missing, or older than what it is built from. */
export async function ensureBuilt(): Promise<void> {
  if (!outputs.every(existsSync) || (await oldest(outputs)) < (await newestSource()))
    await run('npm', ['run', 'build'], { cwd: root, timeout: 120_000 });
}

async function oldest(files: readonly string[]): Promise<number> {
  const stats = await Promise.all(files.map((file) => stat(file)));
  return Math.min(...stats.map(({ mtimeMs }) => mtimeMs));
}

async function newestSource(): Promise<number> {
  const sources = await readdir(join(root, 'src'), { recursive: true });
  const files = [...sources.map((file) => join('src', file)), 'tsup.config.ts', 'tsconfig.src.json', 'package.json'];
  const stats = await Promise.all(files.map((file) => stat(join(root, file))));
  return Math.max(...stats.map(({ mtimeMs }) => mtimeMs));
}

/** Packages as a service would have them, beside what is declared as a dependency of the library. */
const neighbours = ['mongoose', '@most/core', '@most/scheduler', '@most/types', '@types/node', 'undici-types'];

export interface Project extends AsyncDisposable {
  readonly folder: string;
  /** The files of the packed library, without the leading "package/". */
  readonly packed: readonly string[];
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Runs Node in the project. @returns what it wrote to stdout */
  node(file: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** Compiles with the options. @returns what the compiler says, nothing where it is content */
  compile(options: object, files: readonly string[]): Promise<string>;
}

/** A project of its own that has the packed library installed, and the packages of this repository beside it. */
export async function createProject(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'service-outbox-project-'));
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const [pack] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  await run('tar', ['-xzf', pack.filename], { cwd: folder });
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await cp(join(folder, 'package'), join(modules, 'service-outbox'), { recursive: true });
  for (const name of neighbours) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  };
  return {
    folder,
    packed: pack.files.map(({ path }) => path),
    write,
    node: async (file, env = {}) =>
      (await run(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env }, timeout: 60_000 })).stdout,
    compile: async (options, files) => {
      const compilerOptions = { strict: true, noEmit: true, types: ['node'], ...options };
      await write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      return run(process.execPath, [tsc, '-p', '.'], { cwd: folder }).then(
        ({ stdout }) => stdout,
        (error: { stdout?: string; message: string }) => error.stdout ?? error.message,
      );
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
