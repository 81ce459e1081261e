import { describe, expect, it, onTestFinished } from 'vitest';

import { webhookPublisher } from '../../../src/webhook.js';
import { waitFor } from '../../support/create-outbox.js';
import { keyed, watchedOutbox } from '../../support/watched-outbox.js';
import { relayFaults } from '../relay-faults.js';
import { startReceiver } from './receiver.js';

describe.each(['structured', 'batch'] as const)('a relay to a webhook, mode %s', (mode) => {
  relayFaults(
    async () => {
      const receiver = await startReceiver();
      return {
        node: receiver.server,
        publisher: webhookPublisher(receiver.url, {
          source: '/orders',
          mode,
          timeoutMs: 2_000,
          messagesPerRequest: 10,
        }),
        received: async () => receiver.received(),
        refused: { data: { refuse: true } },
        close: () => receiver.close(),
      };
    },
    { refusesLarge: true },
  );
});

it('an endpoint that fails with 500 for one message alone does not hold up the others for ever', async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const made = await watchedOutbox();
  const publisher = webhookPublisher(receiver.url, { source: '/orders' });
  made.outbox.relay('c', publisher, { retry: { initialDelayMs: 20, maxDelayMs: 100, maxAttempts: 3 } });
  await made.put([keyed(1, 'crash')]);
  // Others to compare it with.
  let others = 0;
  await waitFor(async () => {
    await made.put([keyed((others += 1) + 1, `key ${others}`)]);
    return (await made.failures()).some(({ position, attempts }) => position === 1 && attempts > 0);
  }, 30_000);
  await waitFor(() => receiver.received().length >= others, 30_000);
  expect(new Set(receiver.received().map(({ key }) => key)).size).toBe(others);
});
