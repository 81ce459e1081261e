import { describe, it } from 'vitest';

import { publisherCases } from '../../../src/testing.js';
import { webhookPublisher } from '../../../src/webhook.js';
import { startReceiver } from './receiver.js';

describe.each(['structured', 'binary', 'batch'] as const)('a webhook, mode %s', (mode) => {
  const cases = publisherCases(async () => {
    const receiver = await startReceiver();
    return {
      publisher: webhookPublisher(receiver.url, { source: '/orders', mode, messagesPerRequest: 30 }),
      received: async () => receiver.received(),
      refused: { data: { refuse: true } },
      down: () => receiver.server.kill9(),
      up: () => receiver.server.restart(),
      close: () => receiver.close(),
    };
  });
  for (const { name, run } of cases) it(name, run);
});
