import { describe } from 'vitest';

import { webhookPublisher } from '../../../src/webhook.js';
import { relayFaults } from '../relay-faults.js';
import { startReceiver } from './receiver.js';

describe.each(['structured', 'batch'] as const)('a relay to a webhook, mode %s', (mode) => {
  relayFaults(async () => {
    const receiver = await startReceiver();
    return {
      node: receiver.server,
      publisher: webhookPublisher(receiver.url, { source: '/orders', mode, timeoutMs: 2_000, messagesPerRequest: 10 }),
      received: async () => receiver.received(),
      refused: { data: { refuse: true } },
      close: () => receiver.close(),
    };
  });
});
