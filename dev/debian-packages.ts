/**
 * The files of Debian packages in the cache folder, with those of the packages that they need and that are not installed
 * here. Nothing is installed and nobody has to be root: apt downloads with lists of its own, dpkg unpacks.
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheFolder, findOnPath, outputOf } from './executables.js';
import { NotApplicable } from './first-that-works.js';

/** Makes the files of a package usable where they lie now. */
export type Prepare = (folder: string) => Promise<void>;

/** The newest unpacked copy of a package in the cache; undefined where there is none. */
export async function cachedDebianPackage(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const cache = cacheFolder(env);
  const entries = await readdir(cache).catch(() => []);
  const [newest] = entries
    .filter((entry) => entry.startsWith(`${name}-`) && /^[0-9]/.test(entry.slice(name.length + 1)))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return newest === undefined ? undefined : join(cache, newest);
}

/**
 * Downloads and unpacks a package into the cache.
 *
 * @returns the folder that stands for the root of the file system
 * @throws NotApplicable where there is no apt, or the package is installed here already
 */
export async function fetchDebianPackage(
  name: string,
  prepare: Prepare = () => Promise.resolve(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  for (const command of ['apt-get', 'dpkg'])
    if ((await findOnPath(command, env)) === undefined) throw new NotApplicable(`there is no ${command} here`);
  const cache = cacheFolder(env);
  await mkdir(cache, { recursive: true });
  // Everything is done beside its final place: two processes may do this at once, and neither may see half of it.
  const work = await mkdtemp(join(cache, `.${name}.tmp-`));
  try {
    const apt = await ownApt(join(work, 'apt'));
    await apt(['update', '-qq']);
    const wanted = downloads(await apt(['install', '--print-uris', '-y', '-qq', '--no-install-recommends', name]));
    const version = wanted.get(name);
    if (version === undefined) throw new NotApplicable(`the package ${name} is installed here already`);
    const files = join(work, 'debs');
    const ready = join(work, 'ready');
    await Promise.all([mkdir(files), mkdir(ready)]);
    await apt(['download', '-qq', ...wanted.keys()], files);
    for (const file of await readdir(files)) await outputOf('dpkg', ['-x', join(files, file), ready]);
    await prepare(ready);
    return await publishFolder(ready, join(cache, `${name}-${version}`));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Package names and their versions without the epoch, from lines such as `'http://…' nats-server_2.9.10-1_amd64.deb 3644664 …`. */
export function downloads(printedUris: string): Map<string, string> {
  const lines = printedUris.split('\n').filter((line) => line.startsWith("'"));
  return new Map(
    lines.map((line) => {
      const [, file = ''] = line.split(' ');
      const [name = '', version = ''] = decodeURIComponent(file).split('_');
      return [name, version.replace(/^[0-9]+:/, '')];
    }),
  );
}

/** The variables under which programs of an unpacked package find their libraries. */
export async function librariesOf(folder: string): Promise<NodeJS.ProcessEnv> {
  const found: string[] = [];
  for (const parent of [join(folder, 'usr', 'lib'), join(folder, 'lib')]) {
    const entries = await readdir(parent).catch(() => []);
    found.push(...entries.filter((entry) => entry.includes('-linux-gnu')).map((entry) => join(parent, entry)));
  }
  return found.length === 0 ? {} : { LD_LIBRARY_PATH: found.join(':') };
}

/** apt-get with lists and a cache of its own, which needs no rights but those on its folder. */
async function ownApt(folder: string): Promise<(args: readonly string[], cwd?: string) => Promise<string>> {
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const options = [
    `Dir::State::Lists=${lists}`,
    `Dir::Cache=${cache}`,
    'Debug::NoLocking=true',
    // As root it would become a user who may not write to a folder of this one's.
    'APT::Sandbox::User=root',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=20',
  ].flatMap((option) => ['-o', option]);
  return (args, cwd = folder) => outputOf('apt-get', [...options, ...args], { cwd });
}

/** Moves a folder to its final place, unless another process was first. What lies there is in use and never replaced. */
async function publishFolder(ready: string, target: string): Promise<string> {
  try {
    await rename(ready, target);
    return target;
  } catch (error) {
    if (await stat(target).catch(() => undefined)) return target;
    throw error;
  }
}
