import type { Delivered, OutboxMessage } from '../message.js';
import type { PublishResult } from '../publisher.js';

/** Collects which messages of a batch failed, and knows which others have to wait for them. */
export class BatchOutcome<M extends OutboxMessage> {
  readonly #failed: { position: number; error: unknown }[] = [];
  /** Of each key with a failed message, the lowest position of one. */
  readonly #heldFrom = new Map<string, number>();

  /** The message was not published. */
  fail({ position, key }: Delivered<M>, error: unknown): void {
    this.#failed.push({ position, error });
    if (key !== undefined) this.#heldFrom.set(key, Math.min(position, this.#heldFrom.get(key) ?? Infinity));
  }

  /** Whether an earlier message of its key failed: it must not be published before that one. The relay sends it again by itself. */
  isHeld({ position, key }: Delivered<M>): boolean {
    // One before it, which is yet to be sent, does not wait: nobody would send it again.
    return key !== undefined && position > (this.#heldFrom.get(key) ?? Infinity);
  }

  get result(): PublishResult {
    return { failed: this.#failed };
  }
}
