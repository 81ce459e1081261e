/** Redis Streams, by a client that the service makes: ioredis or node-redis. */
export { redisPublisher } from './publishers/redis/redis-publisher.js';
export type { RedisClient } from './publishers/redis/redis-client.js';
export type { RedisPublisherOptions } from './publishers/redis/redis-options.js';
export type { TextOf } from './publishers/by-message.js';
