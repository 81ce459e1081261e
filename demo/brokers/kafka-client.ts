import { Kafka, logLevel } from 'kafkajs';

/** Long, because what became of a send that timed out is unknown: the broker may still store it. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Silent: what fails is thrown, and told once. */
export function kafkaClient(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: 'service-outbox-demo',
    brokers: [...brokers],
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 3 },
    logLevel: logLevel.NOTHING,
  });
}
