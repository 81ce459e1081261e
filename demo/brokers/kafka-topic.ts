import type { Kafka, KafkaMessage } from 'kafkajs';
import type { BrokerRecord, Topic } from './broker.js';
import { kafkaClient } from './kafka-client.js';

const timeOfAppend = { name: 'message.timestamp.type', value: 'LogAppendTime' };

/**
 * A new topic of one partition, because only a partition has an order to check. Its records carry the broker's time of
 * append: that is when they were published.
 */
export function kafkaTopic(brokers: readonly string[]): Topic {
  const kafka = kafkaClient(brokers);
  const topic = `service-outbox-demo-${Date.now().toString(36)}-${process.pid}`;
  let created: Promise<unknown> | undefined;
  return {
    address: { kind: 'kafka', brokers, topic },
    place: `Kafka topic ${topic} at ${brokers.join(',')}`,
    create: () =>
      withAdmin(kafka, async (admin) => {
        created = admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: [timeOfAppend] }] });
        await created;
      }),
    read: () => readRecords(kafka, topic),
    async remove() {
      if (created === undefined) return;
      await created.catch(() => undefined);
      await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [topic] }));
    },
  };
}

async function readRecords(kafka: Kafka, topic: string): Promise<BrokerRecord[]> {
  const [offsets] = await withAdmin(kafka, (admin) => admin.fetchTopicOffsets(topic));
  const end = Number(offsets?.high ?? 0);
  const records: BrokerRecord[] = [];
  if (end === 0) return records;
  const groupId = `${topic}-verification`;
  const consumer = kafka.consumer({ groupId });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      const eachMessage = async ({ message }: { message: KafkaMessage }): Promise<void> => {
        records.push(toRecord(message));
        if (Number(message.offset) === end - 1) resolve();
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  await withAdmin(kafka, (admin) => admin.deleteGroups([groupId]));
  return records;
}

function toRecord({ value, timestamp }: KafkaMessage): BrokerRecord {
  const { id, position } = JSON.parse(value?.toString() ?? '') as BrokerRecord;
  return { id, position, publishedAt: Number(timestamp) };
}

async function withAdmin<T>(kafka: Kafka, work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
