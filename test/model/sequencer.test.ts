import { describe, expect, it } from 'vitest';

import { expectSound, foundIn } from './found.js';
import { sequencerModel } from './sequencer/model.js';
import {
  sequencerAsBuilt,
  sequencerBounds,
  type SequencerBounds,
  type SequencerRules,
  type Transaction,
} from './sequencer/rules.js';

/** A transaction that puts these messages; `after` that with this index if given. */
const transaction = (messages: string, after?: number): Transaction => ({
  messages: [...messages],
  ...(after === undefined ? {} : { after }),
});
const model = (rules: Partial<SequencerRules>, bounds: Partial<SequencerBounds>) =>
  sequencerModel({ ...sequencerAsBuilt, ...rules }, { ...sequencerBounds, ...bounds });

/** Two messages, an election with the loss of what is not majority-committed, and requests that arrive late. */
const two = { transactions: [transaction('a'), transaction('b')] };
/** Three messages, two of them of one transaction. */
const three = { transactions: [transaction('ab'), transaction('c')] };
const calm = { elections: 0, lag: 0, replication: 'instant' } as const;
/** A log that overwrites: four entries, or more where some are small. A stale sequencer can leave a stray entry. */
const overwriting = {
  ...calm,
  flights: 0,
  cap: 8,
  sizes: { a: 2, b: 2, c: 2, d: 2, f: 2 },
  atOnce: 1,
  resolveWindow: Infinity,
};
/** Messages enough to overwrite the first, in a transaction that may commit after one that put later. */
const late = { ...overwriting, transactions: [transaction('abcde'), transaction('x')] };
/** Appends of two messages, of which four fill the log. */
const twoByTwo = { ...calm, flights: 0, cap: 8, batch: 2, atOnce: 4, resolveWindow: Infinity };

describe('two sequencers that ignore the lease', () => {
  it.each<{ when: string; bounds: Partial<SequencerBounds>; least: number }>([
    { when: 'an election and late requests', bounds: two, least: 100_000 },
    { when: 'two elections', bounds: { ...two, elections: 2, flights: 0 }, least: 40_000 },
    { when: 'a primary that is further behind', bounds: { ...two, lag: 2, flights: 0 }, least: 40_000 },
    {
      when: 'an election between transactions of which one follows the other',
      bounds: { transactions: [transaction('a'), transaction('b', 0)] },
      least: 25_000,
    },
    { when: 'an election and three messages', bounds: { ...three, flights: 0, atOnce: 1 }, least: 60_000 },
    { when: 'late requests and three messages', bounds: { ...three, ...calm }, least: 50_000 },
    {
      when: 'three transactions of which one follows another',
      bounds: { ...calm, transactions: [transaction('a'), transaction('b'), transaction('c', 0)], flights: 0 },
      least: 10_000,
    },
    { when: 'an id used twice', bounds: { ...two, ids: { a: 'x', b: 'x' }, flights: 0 }, least: 20_000 },
    {
      when: 'batches that arrive in part, or late',
      bounds: { ...three, ...calm, batch: 2, cap: 8, resolveWindow: 4, atOnce: 3 },
      least: 35_000,
    },
    { when: 'clocks that differ', bounds: { ...two, ...calm, clocks: [0, 1] }, least: 25_000 },
    { when: 'a reader', bounds: { ...two, reader: true, flights: 0 }, least: 65_000 },
    {
      when: 'a log that overwrites, stray entries and a reader',
      bounds: { ...overwriting, transactions: [transaction('abcde')], reader: true },
      least: 8_000,
    },
    {
      when: 'a log that overwrites, and reads of two messages',
      bounds: { ...overwriting, transactions: [transaction('abcdef')], atOnce: 2 },
      least: 6_000,
    },
  ])('with $when', ({ bounds, least }) => expectSound(model({}, bounds), least));

  it.each<{ mistake: string; rules: Partial<SequencerRules>; bounds?: Partial<SequencerBounds>; broken: string }>([
    {
      mistake: 'entries go wherever there is room',
      rules: { append: 'blind' },
      broken: 'each message is in the log once',
    },
    { mistake: 'nothing is resolved', rules: { resolve: false }, broken: 'each message is in the log once' },
    { mistake: 'the base is read at local', rules: { baseRead: 'local' }, broken: 'nothing is lost' },
    {
      mistake: 'pending is read at local',
      rules: { pendingRead: 'local' },
      broken: 'only what was committed is in the log',
    },
    {
      mistake: 'the session is not causally consistent',
      rules: { causal: false },
      broken: 'each message is in the log once',
    },
    { mistake: 'it deletes before it appends', rules: { order: 'delete first' }, broken: 'nothing is lost' },
    { mistake: 'it deletes with w:1', rules: { deletes: 'one' }, broken: 'each message is in the log once' },
    { mistake: 'it resumes by a remembered ts', rules: { resumesByTs: true }, broken: 'nothing is left behind' },
    {
      mistake: 'messages are told apart by id',
      rules: { identity: 'id' },
      bounds: { ids: { a: 'x', b: 'x' } },
      broken: 'nothing is lost',
    },
    {
      mistake: 'what it resolves has been overwritten',
      rules: { batch: 'all' },
      bounds: { elections: 0 },
      broken: 'each message is in the log once',
    },
    {
      mistake: 'created is the time of its clock',
      rules: { created: 'clock' },
      bounds: { ...calm, clocks: [0, 1] },
      broken: 'created never falls',
    },
    {
      mistake: 'readers take stray entries for the log',
      rules: { strays: 'read' },
      bounds: { ...overwriting, transactions: [transaction('abcde')], reader: true },
      broken: 'all readers see the same',
    },
  ])('goes wrong where $mistake', ({ rules, bounds, broken }) => {
    expect(foundIn(model(rules, { ...two, ...bounds }))).toBe(broken);
  });

  describe('an append that arrives after its place in the log was overwritten', () => {
    it.each<{ when: string; bounds: Partial<SequencerBounds>; least: number }>([
      { when: 'by messages that were put before and committed later', bounds: late, least: 80_000 },
      {
        when: 'and that overwrites what comes next in its turn',
        bounds: { ...twoByTwo, transactions: [transaction('abcdefgh'), transaction('ij', 0)] },
        least: 40_000,
      },
    ])('$when, loses no message, unless stray entries are trusted', ({ bounds, least }) => {
      expectSound(model({}, bounds), least);
      expect(foundIn(model({ trusts: 'every entry' }, bounds))).toBe('nothing is lost');
    });
  });
});
