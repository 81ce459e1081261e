import fc from 'fast-check';
import { expect, it } from 'vitest';

import { PermanentError, Unavailable } from '../../../src/index.js';
import { inParts, publishInPortions } from '../../../src/publishers/publish-in-portions.js';
import { delivered } from '../../support/delivered.js';
import { doneOf } from '../../support/done-of.js';

const signal = new AbortController().signal;
const keys = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined });
const batches = fc.array(fc.record({ key: keys, bad: fc.boolean(), unpreparable: fc.boolean() }), {
  maxLength: 40,
  size: 'max',
});
const messagesOf = (batch: readonly { key: string | undefined }[]) =>
  batch.map(({ key }, index) => delivered({ position: index + 1, ...(key === undefined ? {} : { key }) }));

it('stores every message but bad ones and those behind a bad one of their key, in order', async () => {
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 12 }), async (batch, mostPerRequest) => {
      const stored: number[] = [];
      const messages = messagesOf(batch);
      const result = await publishInPortions(
        messages,
        { signal },
        {
          prepare: ({ position }) => {
            if (batch[position - 1]!.unpreparable) throw new PermanentError();
            return position;
          },
          send: async (positions) => {
            expect(positions.length).toBeLessThanOrEqual(mostPerRequest);
            if (positions.some((position) => batch[position - 1]!.bad)) return new PermanentError();
            stored.push(...positions);
            return undefined;
          },
          cut: (prepared) => inParts(prepared, mostPerRequest),
        },
      );
      expect(stored).toEqual(doneOf(messages, result));
      // Whatever is not done is not done for a reason.
      for (const { position } of result.failed)
        expect(batch[position - 1]!.bad || batch[position - 1]!.unpreparable).toBe(true);
    }),
  );
});

it('names as failed what was not answered for when the destination goes down, and rejects when nothing was', async () => {
  const down = new Error('down');
  const send = (most: number) => {
    let left = most;
    return async () => {
      if ((left -= 1) < 0) throw down;
      return undefined;
    };
  };
  const publish = (most: number) =>
    publishInPortions(
      messagesOf(Array<{ key: undefined }>(6).fill({ key: undefined })),
      { signal },
      {
        prepare: () => undefined,
        send: send(most),
        cut: (prepared) => inParts(prepared, 2),
      },
    );
  await expect(publish(0)).rejects.toBe(down);
  const { failed } = await publish(2);
  expect(failed.map(({ position }) => position)).toEqual([5, 6]);
  // Nothing is said of these messages: they wait, and spend no attempt.
  for (const { error } of failed) {
    expect(error).toBeInstanceOf(Unavailable);
    expect((error as Error).cause).toBe(down);
  }
  expect((await publish(3)).failed).toEqual([]);
});
