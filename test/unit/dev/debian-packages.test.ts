import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { waysTo } from '../../../dev/brokers/server-binary.js';
import { cachedDebianPackage, downloads, fetchDebianPackage } from '../../../dev/debian-packages.js';
import { NotApplicable } from '../../../dev/first-that-works.js';
import { skippedOrThrown } from '../../support/brokers.js';

async function cacheWith(...folders: string[]): Promise<NodeJS.ProcessEnv> {
  const home = await mkdtemp(join(tmpdir(), 'service-outbox-cache-'));
  onTestFinished(() => rm(home, { recursive: true }));
  for (const folder of folders) await mkdir(join(home, 'service-outbox', folder), { recursive: true });
  return { XDG_CACHE_HOME: home, PATH: '' };
}

describe('downloads', () => {
  it('reads names and versions, without the epoch', () => {
    const printed = [
      'Reading package lists...',
      "'http://deb.debian.org/p/libjemalloc2_5.3.0-1_amd64.deb' libjemalloc2_5.3.0-1_amd64.deb 275000 MD5Sum:0f",
      "'http://deb.debian.org/p/redis-server_7.0.15-1%7edeb12u10_amd64.deb' redis-server_5%3a7.0.15-1~deb12u10_amd64.deb 73908 ",
      '',
    ].join('\n');
    expect([...downloads(printed)]).toEqual([
      ['libjemalloc2', '5.3.0-1'],
      ['redis-server', '7.0.15-1~deb12u10'],
    ]);
  });
});

describe('cachedDebianPackage', () => {
  it('finds the newest copy, and neither another package nor half of one', async () => {
    const env = await cacheWith(
      'redis-server-7.0.9-1',
      'redis-server-7.0.15-1',
      'redis-server-extra-9',
      '.redis-server.tmp-1',
    );
    await expect(cachedDebianPackage('redis-server', env)).resolves.toMatch(/redis-server-7\.0\.15-1$/);
  });

  it('finds nothing in an empty cache', async () => {
    await expect(cachedDebianPackage('redis-server', await cacheWith())).resolves.toBeUndefined();
  });
});

describe('a server', () => {
  const wanted = {
    name: 'Redis',
    variable: 'REDIS_SERVER_BINARY',
    command: 'redis-server',
    inPackage: 'usr/bin/redis-server',
    versionOf: (binary: string) => Promise.resolve(`version of ${binary}`),
  };

  it('is looked for in its variable, on PATH, in the cache and in the packages of Debian', async () => {
    const env = await cacheWith('redis-server-7.0.15-1');
    expect(waysTo(wanted, env).map(({ name }) => name)).toEqual([
      'REDIS_SERVER_BINARY',
      'redis-server on PATH',
      "Debian's redis-server, cached",
      "Debian's redis-server, download",
    ]);
    const [variable, path, cached] = waysTo(wanted, env);
    await expect(variable?.get()).rejects.toBeInstanceOf(NotApplicable);
    await expect(path?.get()).rejects.toBeInstanceOf(NotApplicable);
    await expect(cached?.get()).resolves.toMatchObject({
      binary: expect.stringMatching(/redis-server-7\.0\.15-1\/usr\/bin\/redis-server$/),
    });
  });

  it('is not downloaded where there is no apt', async () => {
    await expect(fetchDebianPackage('redis-server', undefined, await cacheWith())).rejects.toBeInstanceOf(
      NotApplicable,
    );
  });
});

describe('a broker that can not be had', () => {
  const error = new Error('No Redis that runs here was found');

  it('is skipped with the reason', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    expect(skippedOrThrown('Redis', error, {})).toContain('No Redis that runs here');
    expect(warn).toHaveBeenCalledOnce();
  });

  it('is a failure in CI', () => {
    expect(() => skippedOrThrown('Redis', error, { CI: 'true' })).toThrow(error);
  });
});
