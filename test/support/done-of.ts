import type { Delivered, OutboxMessage, PublishResult } from '../../src/index.js';

/** Positions of a batch that a relay takes for published: neither failed, nor behind a failed one of their key. */
export function doneOf(messages: readonly Delivered<OutboxMessage>[], { failed }: PublishResult): number[] {
  const bad = new Set(failed.map(({ position }) => position));
  const isHeld = ({ position, key }: Delivered<OutboxMessage>) =>
    key !== undefined &&
    messages.some((each) => each.key === key && each.position < position && bad.has(each.position));
  return messages.filter((each) => !bad.has(each.position) && !isHeld(each)).map(({ position }) => position);
}
