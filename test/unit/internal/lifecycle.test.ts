import { describe, expect, it, vi } from 'vitest';

import { Lifecycle } from '../../../src/internal/lifecycle.js';
import { flush, isSettled } from '../../support/settled.js';

function deferred<T>() {
  let resolve = (_: T): void => undefined;
  let reject = (_: Error): void => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

const closedError = { name: 'OutboxError', code: 'CLOSED', retryable: false };

describe('ready', () => {
  it('opens once, for calls at the same time and for later ones', async () => {
    const open = vi.fn(() => Promise.resolve('cap'));
    const lifecycle = new Lifecycle('Outbox', open, () => Promise.resolve());
    expect(await Promise.all([lifecycle.ready(), lifecycle.ready()])).toEqual(['cap', 'cap']);
    expect(await lifecycle.ready()).toBe('cap');
    expect(open).toHaveBeenCalledTimes(1);
  });

  it('opens nothing before it is called', async () => {
    const open = vi.fn(() => Promise.resolve());
    const lifecycle = new Lifecycle('Outbox', open, () => Promise.resolve());
    await flush();
    expect(open).not.toHaveBeenCalled();
    lifecycle.checkOpen();
  });

  it('can be repeated after it failed; those who waited all get the error', async () => {
    const open = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error('down')).mockResolvedValueOnce('cap');
    const lifecycle = new Lifecycle('Outbox', open, () => Promise.resolve());
    const outcomes = await Promise.allSettled([lifecycle.ready(), lifecycle.ready()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await lifecycle.ready()).toBe('cap');
    expect(open).toHaveBeenCalledTimes(2);
  });

  it('throws CLOSED after close, and opens nothing', async () => {
    const open = vi.fn(() => Promise.resolve());
    const lifecycle = new Lifecycle('Outbox', open, () => Promise.resolve());
    await lifecycle.close();
    await expect(lifecycle.ready()).rejects.toMatchObject(closedError);
    expect(() => lifecycle.checkOpen()).toThrow('the outbox "Outbox" is closed');
    expect(open).not.toHaveBeenCalled();
  });
});

describe('close', () => {
  it('during opening waits for it, then releases; who waited to be ready gets CLOSED', async () => {
    const opening = deferred<string>();
    const release = vi.fn(() => Promise.resolve());
    const lifecycle = new Lifecycle('Outbox', () => opening.promise, release, 60_000);
    const ready = lifecycle.ready();
    const outcome = expect(ready).rejects.toMatchObject(closedError);
    const closed = lifecycle.close();
    expect(await isSettled(closed)).toBe(false);
    expect(release).not.toHaveBeenCalled();
    opening.resolve('cap');
    await closed;
    await outcome;
    expect(release).toHaveBeenCalledTimes(1);
  });

  it('during an opening that fails does not fail', async () => {
    const opening = deferred<string>();
    const release = vi.fn(() => Promise.resolve());
    const lifecycle = new Lifecycle('Outbox', () => opening.promise, release, 60_000);
    const ready = lifecycle.ready();
    const outcome = expect(ready).rejects.toThrow('down');
    const closed = lifecycle.close();
    opening.reject(new Error('down'));
    await closed;
    await outcome;
    expect(release).toHaveBeenCalledTimes(1);
  });

  it('waits no longer than closeTimeoutMs for an opening; who waited to be ready gets CLOSED all the same', async () => {
    const release = vi.fn(() => Promise.resolve());
    const lifecycle = new Lifecycle('Outbox', () => new Promise<never>(() => undefined), release, 20);
    const outcome = expect(lifecycle.ready()).rejects.toMatchObject(closedError);
    await lifecycle.close();
    await outcome;
    expect(release).toHaveBeenCalledTimes(1);
  });

  it('releases once, however often it is called, and all calls wait for it', async () => {
    const releasing = deferred<void>();
    const release = vi.fn(() => releasing.promise);
    const lifecycle = new Lifecycle('Outbox', () => Promise.resolve(), release);
    await lifecycle.ready();
    const calls = [lifecycle.close(), lifecycle.close()];
    expect(await isSettled(Promise.race(calls))).toBe(false);
    releasing.resolve();
    await Promise.all([...calls, lifecycle.close()]);
    expect(release).toHaveBeenCalledTimes(1);
  });
});
