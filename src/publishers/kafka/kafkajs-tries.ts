import type { KafkaJsMessage, TopicMessages } from './kafkajs-batch.js';

/** A batch that is watched while it is sent. */
export interface WatchedBatch {
  readonly topicMessages: TopicMessages[];
  /**
   * The messages that were acknowledged by nobody, though kafkajs has resolved; undefined where nothing was noted, as
   * when something between here and kafkajs copies the arrays.
   *
   * @param result what kafkajs resolved to
   */
  readonly unsent: (result: unknown) => Set<unknown> | undefined;
}

/** By partition. */
type Shares<M> = Readonly<Record<string, readonly M[]>>;

/**
 * kafkajs 2 resolves as if all had been acknowledged though a message was never sent to a broker that took it: when it
 * tries again, it leaves out brokers that have answered before, also where one of them leads a partition by then that
 * was another's at the first try (https://github.com/tulios/kafkajs/issues/1303; sendMessages.js). Its result has the
 * partitions that were acknowledged, and at each try it shares the messages out to partitions with `messages.reduce`:
 * here that is noted, and compared.
 */
export function watchTries(topicMessages: TopicMessages[]): WatchedBatch {
  const noted = topicMessages.map(({ topic, messages }) => {
    const tries: Shares<KafkaJsMessage>[] = [];
    const reduce = (...how: Parameters<unknown[]['reduce']>): unknown => {
      const shares = Array.prototype.reduce.apply(messages, how) as unknown;
      tries.push(shares as Shares<KafkaJsMessage>);
      return shares;
    };
    Object.defineProperty(messages, 'reduce', { value: reduce });
    return { topic, tries };
  });
  return {
    topicMessages,
    unsent: (result) => {
      if (!isResult(result) || noted.some(({ tries }) => tries.length === 0)) return undefined;
      return new Set(noted.flatMap(({ topic, tries }) => unsentOf(tries, acknowledgedOf(topic, result))));
    },
  };
}

/** Those of partitions that nobody acknowledged, and those that were of another partition at another try. */
export function unsentOf<M>(tries: readonly Shares<M>[], acknowledged: ReadonlySet<string>): M[] {
  const last = tries.at(-1) ?? {};
  const before = tries.slice(0, -1);
  return Object.entries(last).flatMap(([partition, messages]) => {
    const moved = (message: M) => before.some((shares) => shares[partition]?.includes(message) !== true);
    return messages.filter((message) => !acknowledged.has(partition) || moved(message));
  });
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
