import { expect, it } from 'vitest';

import { mostPerPublish } from '../../../src/consumer/publish-runner.js';

it.each([
  { batchSize: 1, most: 1 },
  { batchSize: 10, most: 10 },
  { batchSize: 500, most: 500 },
  { batchSize: 501, most: 251 },
  { batchSize: 1_000, most: 500 },
  { batchSize: 10_000, most: 5_000 },
])('a relay with a window of $batchSize publishes at most $most messages at once', ({ batchSize, most }) => {
  expect(mostPerPublish(batchSize)).toBe(most);
});
