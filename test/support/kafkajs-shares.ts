import type { TopicMessages } from '../../src/publishers/kafka/kafkajs-batch.js';

/** A partition in what kafkajs resolves to. */
export interface Acknowledged {
  readonly topicName: string;
  readonly partition: number;
}

/** Shares the messages out to partitions by the first letter of their value, as kafkajs does at each try. @returns those partitions */
export function shareOut({ topicMessages }: { topicMessages: readonly TopicMessages[] }): Acknowledged[] {
  return topicMessages.flatMap(({ topic, messages }) => {
    const shares = messages.reduce<Record<string, unknown[]>>((sofar, message) => {
      const partition = String(message.value).charCodeAt(0);
      return Object.assign(sofar, { [partition]: [...(sofar[partition] ?? []), message] });
    }, {});
    return Object.keys(shares).map((partition) => ({ topicName: topic, partition: Number(partition) }));
  });
}
