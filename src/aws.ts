/** Messages to Amazon SQS, SNS and EventBridge. */
export type { AwsClient } from './publishers/aws/aws-client.js';
export type { AwsOptions } from './publishers/aws/aws-options.js';
export { sqsPublisher, type SqsOptions } from './publishers/aws/sqs-publisher.js';
export { snsPublisher, type SnsOptions } from './publishers/aws/sns-publisher.js';
export { eventBridgePublisher, type EventBridgeOptions } from './publishers/aws/event-bridge-publisher.js';
export type { TextOf } from './publishers/by-message.js';
