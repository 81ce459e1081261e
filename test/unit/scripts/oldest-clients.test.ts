import { describe, expect, it } from 'vitest';

import { oldestClients } from '../../../scripts/compat/oldest-clients.js';

describe('the oldest clients', () => {
  it('are the first of each range, with what goes with them', () => {
    expect(
      oldestClients({
        mongoose: '^8.16.0 || ^9.0.0',
        amqplib: '^0.10.4 || ^1.0.0',
        '@nats-io/jetstream': '^3.0.0',
        '@confluentinc/kafka-javascript': '^1.0.0',
      }),
    ).toEqual(['amqplib@0.10.4', '@nats-io/jetstream@3.0.0', '@nats-io/transport-node@3.0.0']);
  });

  it.each(['*', '>=1.0.0', '1.0.0'])('are not known of the range %o', (range) => {
    expect(() => oldestClients({ kafkajs: range })).toThrow(`got "${range}"`);
  });
});
