import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { Delivered, OutboxMessage } from '../../../src/index.js';
import { publishInWaves } from '../../../src/publishers/publish-in-waves.js';
import { delivered } from '../../support/delivered.js';
import { doneOf } from '../../support/done-of.js';

const signal = new AbortController().signal;
const fates = fc.constantFrom('taken', 'taken', 'taken', 'refused', 'unpreparable');
const batches = fc.array(
  fc.record({ key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }), fate: fates }),
  { maxLength: 30, size: 'max' },
);

it('what the relay takes for done was taken by the destination, and the order of each key is kept', async () => {
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 10 }), async (batch, mostPerWave) => {
      const fateOf = ({ position }: Delivered<OutboxMessage>) => batch[position - 1]!.fate;
      const messages = batch.map(({ key }, index) =>
        delivered({ position: index + 1, ...(key === undefined ? {} : { key }) }),
      );
      const taken: number[] = [];
      const result = await publishInWaves(
        messages,
        { signal },
        {
          prepare: (message) => {
            if (fateOf(message) === 'unpreparable') throw new Error();
          },
          send: async (wave) => {
            const refused = wave.filter(({ message }) => fateOf(message) === 'refused');
            for (const { message } of wave) if (fateOf(message) === 'taken') taken.push(message.position);
            return new Map(refused.map(({ message }) => [message, new Error()]));
          },
          mostPerWave,
        },
      );
      expect([...taken].sort((a, b) => a - b)).toEqual(doneOf(messages, result));
      for (const key of ['a', 'b', 'c']) {
        const ofKey = taken.filter((position) => messages[position - 1]!.key === key);
        expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
      }
    }),
  );
});
