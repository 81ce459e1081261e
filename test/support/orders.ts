import type { Connection } from 'mongoose';
import { expect } from 'vitest';

import type { Delivered, ServiceOutbox } from '../../src/index.js';
import type { TestMessage } from './create-outbox.js';

export const order = (ordernr: number, note?: string): TestMessage => ({
  type: 'order_created',
  data: note === undefined ? { ordernr } : { ordernr, note },
});

export const orders = (first: number, count: number, note?: string): TestMessage[] =>
  Array.from({ length: count }, (_, index) => order(first + index, note));

/** Puts the orders `first` … in one transaction. */
export async function putInTransaction(
  { outbox, connection }: { outbox: ServiceOutbox<TestMessage>; connection: Connection },
  first: number,
  count = 1,
): Promise<void> {
  await connection.transaction(async (session) => {
    await outbox.put(orders(first, count), session);
  });
}

export const numbersOf = (messages: readonly { data: { ordernr: number } }[]): number[] =>
  messages.map(({ data }) => data.ordernr);

export const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Positions without a gap from `first` on, and `created` that never falls. */
export function expectInOrder(messages: readonly Delivered<TestMessage>[], first = 1): void {
  expect(messages.map(({ position }) => position)).toEqual(range(first, messages.length));
  const fallen = messages.findIndex(({ created }, i) => i > 0 && created < messages[i - 1]!.created);
  expect(fallen, 'where created falls').toBe(-1);
}

/** Each of the orders once, in any order. */
export function expectEachOnce(messages: readonly Delivered<TestMessage>[], expected: readonly number[]): void {
  expect([...numbersOf(messages)].sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b));
}
