import type { BrokerKind, BrokerName } from './broker.js';
import { kafka } from './kafka.js';
import { nats } from './nats.js';
import { rabbitmq } from './rabbitmq.js';
import { redis } from './redis.js';

/** The brokers that a round can have. */
export const BROKERS: Readonly<Record<BrokerName, BrokerKind>> = { kafka, rabbitmq, nats, redis };
