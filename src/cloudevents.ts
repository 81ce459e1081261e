/** Messages as CloudEvents 1.0 and back, for Kafka and HTTP. */
export type { CloudEvent, ContentMode } from './cloudevents/cloud-event.js';
export type { CloudEventOptions, Extensions } from './cloudevents/cloud-event-options.js';
export type { TextOf } from './publishers/by-message.js';
export { toCloudEvent } from './cloudevents/to-cloud-event.js';
export { fromCloudEvent, type MessageOfEvent } from './cloudevents/from-cloud-event.js';
export { fromKafka, toKafka, type KafkaContent, type KafkaRecord } from './cloudevents/kafka-binding.js';
export { fromHttp, toHttp, toHttpBatch, type HttpContent, type HttpRequest } from './cloudevents/http-binding.js';
