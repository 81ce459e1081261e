import { expect, it } from 'vitest';

import { lazySignal } from '../../../src/consumer/runner.js';

it('a signal that is asked for before it aborts does so with the reason', () => {
  const lazy = lazySignal();
  const { signal } = lazy;
  expect(signal.aborted).toBe(false);
  expect(lazy.signal).toBe(signal);
  const reason = new Error('why');
  lazy.abort(reason);
  expect(signal.reason).toBe(reason);
});

it('a signal that is asked for after it has aborted, has', () => {
  const lazy = lazySignal();
  const reason = new Error('why');
  lazy.abort(reason);
  lazy.abort(new Error('later'));
  expect(lazy.signal.aborted).toBe(true);
  expect(lazy.signal.reason).toBe(reason);
});

it('an abort without a reason gives the usual one', () => {
  const lazy = lazySignal();
  lazy.abort();
  expect(lazy.signal.reason).toMatchObject({ name: 'AbortError' });
});
