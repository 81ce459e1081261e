import type { Delivered, OutboxMessage } from './message.js';

/** Where a relay sends messages: a broker, a webhook, anything that takes batches. */
export interface Publisher<M extends OutboxMessage> {
  /**
   * Publishes an ordered batch and resolves once it is acknowledged. Nothing at all, or an empty `failed`: all are done.
   *
   * A rejection says nothing of any single message: the destination is taken to be down, no attempt is spent, and the
   * batch is sent again in smaller parts until it is clear whether it is the destination or one message. A rejection with
   * `Unavailable` says that it is the destination: the relay waits for it at once.
   */
  publish: (messages: readonly Delivered<M>[], context: PublishContext) => Promise<void | PublishResult>;
}

/** What `publish` is told beside the messages. */
export interface PublishContext {
  /**
   * Aborts when the lease is lost, or when closing takes longer than `closeTimeoutMs`: what is published from then on may be
   * published by another. There is no other time limit.
   */
  readonly signal: AbortSignal;
  /** The relay's name. */
  readonly consumer: string;
  /** Rises with each change of the owner: a destination that keeps it can refuse a late publish of an earlier owner. */
  readonly epoch: number;
}

/** Which messages of a batch failed by themselves. */
export interface PublishResult {
  /**
   * Every message that was not published, those not tried included. Later messages of a failed one's key in the same
   * batch count as not done either; all others are done, also with `order: "strict"`.
   */
  readonly failed: readonly { position: number; error: unknown }[];
}
