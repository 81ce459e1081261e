// The outbox
export { ServiceOutbox } from './service-outbox.js';
export type { OutboxStatus } from './status.js';
export type { ServiceOutboxOptions } from './options.js';

// The inbox
export { Inbox } from './inbox.js';
export type { InboxOptions } from './inbox-options.js';

// Messages and how they are described
export type { Cursor, Delivered, LogEntry, Of, OutboxMessage, Put, TailOptions } from './message.js';
export type { AnySchemas, DataSchema, MessageOf, MessageSchemas, SchemaInstance } from './schema/message-schemas.js';

// Consumers
export type {
  Consumer,
  ConsumerInfo,
  ConsumerOptions,
  DrainOptions,
  DrainReport,
  ErrorInfo,
  Failure,
  FailureFilter,
  Handler,
  HandlerContext,
  HandlerMap,
  RelayOptions,
  RetryOptions,
  TransactionalContext,
  TransactionalHandler,
  TransactionalHandlerMap,
} from './handler.js';
export type { PublishContext, Publisher, PublishResult } from './publisher.js';
export { PermanentError, RetryAfter, Unavailable } from './verdict.js';

// What goes wrong, and what is told
export { OutboxError } from './errors.js';
export type { OutboxErrorCode } from './errors.js';
export type { OutboxEvents, OutboxListener } from './events.js';
