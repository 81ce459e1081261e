import type { Delivered, OutboxMessage } from '../message.js';
import type { PublishResult } from '../publisher.js';

/** Collects which messages of a batch failed, and knows which others have to wait for them. */
export class BatchOutcome<M extends OutboxMessage> {
  readonly #failed: { position: number; error: unknown }[] = [];
  readonly #heldKeys = new Set<string>();

  /** The message was not published. */
  fail({ position, key }: Delivered<M>, error: unknown): void {
    this.#failed.push({ position, error });
    if (key !== undefined) this.#heldKeys.add(key);
  }

  /** Whether an earlier message of its key failed: it must not be published before that one. The relay sends it again by itself. */
  isHeld({ key }: Delivered<M>): boolean {
    return key !== undefined && this.#heldKeys.has(key);
  }

  get result(): PublishResult {
    return { failed: this.#failed };
  }
}
