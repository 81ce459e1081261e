import type { KafkaJsMessage, TopicMessages } from './kafkajs-batch.js';

/** Partitions with their messages, as kafkajs shares out those of a topic. */
type Shares = Readonly<Record<string, readonly KafkaJsMessage[]>>;

/**
 * kafkajs 2 resolves as if all had been acknowledged though a message was never sent to a broker that took it: when it
 * tries again, it leaves out brokers that have answered before, also where one of them leads a partition by then that
 * was another's at the first try (https://github.com/tulios/kafkajs/issues/1303; sendMessages.js). Its result has the
 * partitions that were acknowledged, and at each try it shares the messages out to partitions with `messages.reduce`:
 * here that is noted, and compared.
 *
 * @returns what gives, of what kafkajs resolved to, the messages that nobody is known to have acknowledged; undefined where
 * nothing was noted, as when something between here and kafkajs copies the arrays, or where the result is none of kafkajs
 */
export function watchTries(topicMessages: readonly TopicMessages[]): (result: unknown) => Set<unknown> | undefined {
  const topics = topicMessages.map(({ topic, messages }) => {
    const tries = new Tries();
    const reduce = (...how: Parameters<unknown[]['reduce']>): unknown => {
      const shares: unknown = Array.prototype.reduce.apply(messages, how);
      if (isShares(shares, messages)) tries.note(shares);
      return shares;
    };
    Object.defineProperty(messages, 'reduce', { value: reduce });
    return { topic, tries };
  });
  return (result) => {
    if (!isResult(result) || topics.some(({ tries }) => tries.isEmpty)) return undefined;
    return new Set(topics.flatMap(({ topic, tries }) => tries.doubtful(acknowledgedOf(topic, result))));
  };
}

/** Which partition the messages of a topic were for, try by try. */
export class Tries {
  readonly #partitionOf = new Map<unknown, string>();
  /** Those that were for another partition at another try: which of them was acknowledged is not known. */
  readonly #moved = new Set<unknown>();

  get isEmpty(): boolean {
    return this.#partitionOf.size === 0;
  }

  note(shares: Readonly<Record<string, readonly unknown[]>>): void {
    for (const [partition, messages] of Object.entries(shares))
      for (const message of messages) {
        const before = this.#partitionOf.get(message);
        if (before !== undefined && before !== partition) this.#moved.add(message);
        this.#partitionOf.set(message, partition);
      }
  }

  /** Those of partitions that nobody acknowledged, and those that have moved. */
  doubtful(acknowledged: ReadonlySet<string>): unknown[] {
    const all = [...this.#partitionOf];
    return all
      .filter(([message, partition]) => !acknowledged.has(partition) || this.#moved.has(message))
      .map(([message]) => message);
  }
}

/** Others may call `reduce` too, such as to count bytes, or to sort by key. */
function isShares(value: unknown, messages: readonly KafkaJsMessage[]): value is Shares {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (!Object.keys(value).every((name) => /^\d+$/.test(name))) return false;
  const shares = Object.values(value as Record<string, unknown>);
  return shares.every((share) => Array.isArray(share)) && shares.flat().length === messages.length;
}

type Result = readonly { readonly topicName: string; readonly partition: number }[];

function isResult(result: unknown): result is Result {
  return (
    Array.isArray(result) &&
    result.every((each: unknown) => {
      const { topicName, partition } = (each ?? {}) as Partial<Result[number]>;
      return typeof topicName === 'string' && typeof partition === 'number';
    })
  );
}

function acknowledgedOf(topic: string, result: Result): Set<string> {
  return new Set(result.filter(({ topicName }) => topicName === topic).map(({ partition }) => String(partition)));
}
