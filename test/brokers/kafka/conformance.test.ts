import { afterAll, beforeAll, describe, it } from 'vitest';

import { startKafka, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import { kafkaJars } from '../../../dev/brokers/kafka-jars.js';
import { publisherCases } from '../../../src/testing.js';
import { missingBroker } from '../../support/brokers.js';
import { clients } from './clients.js';
import { openKafkaFixture } from './kafka-fixture.js';

const missing = await missingBroker('Kafka', kafkaJars);
let broker: KafkaBroker;
beforeAll(async () => {
  if (missing === undefined) broker = await startKafka();
});
afterAll(() => broker?.stop());

describe.skipIf(missing).each(clients)('a publisher over %s', (_name, connect) => {
  for (const { name, run } of publisherCases(() => openKafkaFixture(broker, connect))) it(name, run);
});
