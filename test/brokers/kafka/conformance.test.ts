import { afterAll, beforeAll, describe, it } from 'vitest';

import { startKafka, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import { publisherCases } from '../../../src/testing.js';
import { clients } from './clients.js';
import { openKafkaFixture } from './kafka-fixture.js';

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(() => broker?.stop());

describe.each(clients)('a publisher over %s', (_name, connect) => {
  for (const { name, run } of publisherCases(() => openKafkaFixture(broker, connect))) it(name, run);
});
