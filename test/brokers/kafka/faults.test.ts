import { afterAll, beforeAll, describe } from 'vitest';

import { startKafka, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import { relayFaults } from '../relay-faults.js';
import { clients } from './clients.js';
import { openKafkaFixture } from './kafka-fixture.js';

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(() => broker?.stop());

describe.each(clients)('over %s', (_name, connect) => {
  relayFaults(() => openKafkaFixture(broker, connect));
});
