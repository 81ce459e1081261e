import type { OutboxMessage } from '../message.js';
import type { Publisher } from '../publisher.js';

/** One message as it was found at the destination. What a destination does not carry is left out, and not checked. */
export interface ReceivedMessage {
  readonly id: string;
  readonly data: unknown;
  readonly type?: string;
  readonly position?: number;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A publisher before a destination of its own, which is empty. */
export interface PublisherFixture<M extends OutboxMessage> {
  readonly publisher: Publisher<M>;
  /** All that came to the destination so far, repeats included, in the destination's order (at least within each key). */
  received(): Promise<readonly ReceivedMessage[]>;
  /**
   * Changes of a message which make the destination refuse that one, for ever: too large, no such address. Left out: it
   * refuses nothing by itself.
   */
  readonly refused?: Partial<Pick<OutboxMessage, 'type' | 'headers'>> & { readonly data?: object };
  /** Takes the destination away, so that nothing is acknowledged. Left out, with `up`: not checked. */
  down?(): Promise<void>;
  /** Brings it back, with what it had. */
  up?(): Promise<void>;
  /** Whether the client that was passed in still works: a publisher never closes it. */
  clientWorks?(): Promise<boolean>;
  /** Gives everything back. */
  close(): Promise<void>;
}

/** How the cases are made. */
export interface PublisherCasesOptions {
  /** Type and data of the n-th message. @defaultValue type `"conformance"`, data `{ number: n, text: "message n" }` */
  readonly sample?: (n: number) => { readonly type: string; readonly data: object };
  /** How long, in milliseconds, a publish is repeated until the destination is up again. @defaultValue 60,000 */
  readonly recoveryMs?: number;
  /** Whether the destination keeps the order of a key's messages. @defaultValue true */
  readonly ordered?: boolean;
}
