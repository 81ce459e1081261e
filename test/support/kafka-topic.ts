import { randomBytes } from 'node:crypto';

import { Kafka, logLevel, type Admin, type EachMessagePayload, type IHeaders, type ITopicConfig } from 'kafkajs';

/** One record as it is stored. */
export interface StoredRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export function kafkaClient(bootstrap: string, options: { requestTimeout?: number; retries?: number } = {}): Kafka {
  const { requestTimeout = 30_000, retries } = options;
  return new Kafka({
    clientId: 'service-outbox-test',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout,
    ...(retries === undefined ? {} : { retry: { retries } }),
  });
}

/** A topic of its own, made by and read with a client that has nothing to do with the one under test. */
export class KafkaTopic {
  readonly name = `topic-${randomBytes(5).toString('hex')}`;
  readonly #kafka: Kafka;

  constructor(bootstrap: string) {
    this.#kafka = kafkaClient(bootstrap);
  }

  async create(config: Partial<ITopicConfig> = {}): Promise<void> {
    await this.#asAdmin((admin) =>
      admin.createTopics({ topics: [{ topic: this.name, numPartitions: 3, ...config }], waitForLeaders: true }),
    );
  }

  /** The id of the broker that leads each partition, as these brokers see it. @param bootstrap default: all of them */
  async leaders(bootstrap?: string): Promise<number[]> {
    const kafka = bootstrap === undefined ? this.#kafka : kafkaClient(bootstrap);
    const { topics } = await this.#asAdmin((admin) => admin.fetchTopicMetadata({ topics: [this.name] }), kafka);
    return (topics[0]?.partitions ?? []).map(({ leader }) => leader);
  }

  /** All that is stored, by partition, in order. */
  async records(): Promise<StoredRecord[]> {
    const ends = await this.#asAdmin((admin) => admin.fetchTopicOffsets(this.name));
    const left = new Map(ends.filter(({ low, high }) => low !== high).map((end) => [end.partition, Number(end.high)]));
    const records: StoredRecord[] = [];
    if (left.size === 0) return records;
    const groupId = `group-${randomBytes(5).toString('hex')}`;
    const consumer = this.#kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: this.name, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        // It goes on by itself after errors that pass, such as that of a coordinator that is only starting.
        consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
        const eachMessage = async ({ partition, message }: EachMessagePayload): Promise<void> => {
          const { offset, key, value, headers } = message;
          records.push({
            partition,
            offset: Number(offset),
            key: key?.toString() ?? null,
            value: value?.toString() ?? null,
            headers: texts(headers),
          });
          if (Number(offset) + 1 >= (left.get(partition) ?? 0)) left.delete(partition);
          if (left.size === 0) resolve();
        };
        consumer.run({ autoCommit: false, eachMessage }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  async #asAdmin<T>(work: (admin: Admin) => Promise<T>, kafka = this.#kafka): Promise<T> {
    const admin = kafka.admin();
    try {
      await admin.connect();
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

function texts(headers: IHeaders | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));
}
