import { expect, it } from 'vitest';

import { doneOf, keyed } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';

it('a failed message is tried again, and shown as a failure, while the handler of another takes its time', async () => {
  const one = await createConsuming();
  await one.put([keyed(1, 'slow', 'hold'), keyed(2, 'a', 'fail:1'), keyed(3, 'a')]);
  one.consume({ concurrency: 3, retry: quickRetry });
  // Within the time in which others could have shown that it is an outage, and that of its delay.
  await waitFor(() => doneOf(one.runs).length === 2, 3_000);
  expect(doneOf(one.runs)).toEqual([2, 3]);
  one.work.release();
  await waitFor(async () => (await one.info()).position === 3);
});
