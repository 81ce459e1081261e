import mongoose from 'mongoose';
import { describe, expect, it, vi } from 'vitest';

import { OutboxEmitter, type OutboxEvents } from '../../src/events.js';
import { ServiceOutbox } from '../../src/index.js';

const appended = { first: 1, last: 2, epoch: 3 };

describe('an event', () => {
  it('reaches each of its listeners, in their order, with the name of the outbox', () => {
    const emitter = new OutboxEmitter('X');
    const heard: [string, OutboxEvents['log:append']][] = [];
    emitter.on('log:append', (payload) => heard.push(['first', payload]));
    emitter.on('log:append', (payload) => heard.push(['second', payload]));
    emitter.on('tail:reopen', () => heard.push(['other', { outbox: '', ...appended }]));
    emitter.emit('log:append', appended);
    expect(heard).toEqual([
      ['first', { outbox: 'X', ...appended }],
      ['second', { outbox: 'X', ...appended }],
    ]);
  });

  it('reaches a listener once, though it was added twice, and not after it was taken off', () => {
    const emitter = new OutboxEmitter('X');
    const listener = vi.fn();
    emitter.on('log:append', listener);
    emitter.on('log:append', listener);
    emitter.emit('log:append', appended);
    emitter.off('log:append', listener);
    emitter.off('log:append', listener);
    emitter.emit('log:append', appended);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('reaches the others though a listener takes itself off, or adds one', () => {
    const emitter = new OutboxEmitter('X');
    const late = vi.fn();
    const last = vi.fn();
    const once = vi.fn(() => {
      emitter.off('log:append', once);
      emitter.on('log:append', late);
    });
    emitter.on('log:append', once);
    emitter.on('log:append', last);
    emitter.emit('log:append', appended);
    expect(last).toHaveBeenCalledTimes(1);
    expect(late).not.toHaveBeenCalled();
    emitter.emit('log:append', appended);
    expect([once, late, last].map((listener) => listener.mock.calls.length)).toEqual([1, 1, 2]);
  });

  it('reaches nobody where nobody listens', () => {
    expect(() => new OutboxEmitter('X').emit('log:append', appended)).not.toThrow();
  });
});

describe('a listener that throws', () => {
  it('breaks neither the emitter nor the other listeners, and is reported', () => {
    const emitter = new OutboxEmitter('X');
    const failure = new Error('faulty');
    const [errors, next] = [vi.fn(), vi.fn()];
    emitter.on('log:append', () => {
      throw failure;
    });
    emitter.on('log:append', next);
    emitter.on('error', errors);
    expect(() => emitter.emit('log:append', appended)).not.toThrow();
    expect(next).toHaveBeenCalledTimes(1);
    expect(errors.mock.calls).toEqual([[{ outbox: 'X', part: 'listener', error: failure }]]);
  });

  it('is not reported to itself, where it listens to errors', () => {
    const emitter = new OutboxEmitter('X');
    const faulty = vi.fn(() => {
      throw new Error('faulty');
    });
    const next = vi.fn();
    emitter.on('error', faulty);
    emitter.on('error', next);
    expect(() => emitter.emit('error', { part: 'tail', error: new Error('first') })).not.toThrow();
    expect(faulty).toHaveBeenCalledTimes(1);
    expect(next).toHaveBeenCalledTimes(1);
  });

  it('is reported where it is asynchronous', async () => {
    const emitter = new OutboxEmitter('X');
    const failure = new Error('later');
    const errors = vi.fn();
    emitter.on('error', errors);
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- what a careless service writes
    emitter.on('log:append', () => Promise.reject(failure));
    emitter.emit('log:append', appended);
    await vi.waitFor(() => expect(errors).toHaveBeenCalledWith({ outbox: 'X', part: 'listener', error: failure }));
  });
});

it('an error that nobody listens to is dropped', () => {
  expect(() => new OutboxEmitter('X').emit('error', { part: 'tail', error: new Error('lost') })).not.toThrow();
});

it('an outbox passes listeners on, and gives itself back for the next', () => {
  const outbox = ServiceOutbox.define('X', { t: { data: {} } }, { connection: mongoose.createConnection() });
  const listener = vi.fn();
  expect(outbox.on('error', listener).on('log:append', listener).off('log:append', listener)).toBe(outbox);
});
