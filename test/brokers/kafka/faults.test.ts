import { afterAll, beforeAll, describe } from 'vitest';

import { startKafka, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import { kafkaJars } from '../../../dev/brokers/kafka-jars.js';
import { missingBroker } from '../../support/brokers.js';
import { relayFaults } from '../relay-faults.js';
import { clients } from './clients.js';
import { openKafkaFixture } from './kafka-fixture.js';

const missing = await missingBroker('Kafka', kafkaJars);
let broker: KafkaBroker;
beforeAll(async () => {
  if (missing === undefined) broker = await startKafka();
});
afterAll(() => broker?.stop());

describe.skipIf(missing).each(clients)('over %s', (_name, connect) => {
  relayFaults(() => openKafkaFixture(broker, connect), { refusesLarge: true });
});
