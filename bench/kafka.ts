import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Producer as PlatformaticProducer } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { Connection } from 'mongoose';

import { resolveConsumerOptions } from '../src/consumer/consumer-options.js';
import { mostPerPublish } from '../src/consumer/publish-runner.js';
import type { Delivered, Publisher } from '../src/index.js';
import { kafkaPublisher, platformaticKafkaPublisher } from '../src/kafka.js';
import { kafkaRecord } from '../src/publishers/kafka/kafka-record.js';
import { fill, plainPage, rate } from './consumers.js';
import { median, message, open, quantile, type Message } from './setup.js';

/** What a relay with the default window publishes at once; the client alone, and the bare loop, send as many. */
const batchSize = mostPerPublish(resolveConsumerOptions('relay', true, {}, []).batchSize);
const acks = -1;
const partitions = 6;

/** One client: its publisher, and the same records sent by it alone. */
interface KafkaSide {
  readonly name: string;
  publisher(topic: string): Publisher<Message>;
  sendPlain(topic: string, messages: readonly Delivered<Message>[]): Promise<unknown>;
  close(): Promise<void>;
}

export async function kafkaSides(bootstrap: string): Promise<KafkaSide[]> {
  const kafka = kafkaOf(bootstrap);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const platformatic = new PlatformaticProducer({ clientId: 'bench', bootstrapBrokers: [bootstrap] });
  return [
    {
      name: 'kafkajs',
      publisher: (topic) => kafkaPublisher(producer, { topic }),
      sendPlain: (topic, messages) => {
        const records = messages.map((each) => kafkaRecord(each, { topic }));
        return producer.sendBatch({ acks, topicMessages: [{ topic, messages: records }] });
      },
      close: () => producer.disconnect(),
    },
    {
      name: '@platformatic/kafka',
      publisher: (topic) => platformaticKafkaPublisher(platformatic, { topic }),
      sendPlain: (topic, messages) => {
        const records = messages.map((each) => {
          const { key, value, headers } = kafkaRecord(each, { topic });
          const pairs = Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const);
          return { topic, key: Buffer.from(key ?? ''), value: Buffer.from(value ?? ''), headers: new Map(pairs) };
        });
        return platformatic.send({ messages: records, acks });
      },
      close: async () => platformatic.close(true),
    },
  ];
}

function kafkaOf(bootstrap: string): Kafka {
  return new Kafka({ clientId: 'bench', brokers: [bootstrap], logLevel: logLevel.NOTHING });
}

async function createTopic(bootstrap: string, topic: string): Promise<void> {
  const admin = kafkaOf(bootstrap).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  await admin.disconnect();
}

/** All in messages per second. */
interface Rates {
  /** The client alone, from memory. */
  readonly plain: number;
  /** A bare loop that reads pages with the driver and sends them with the client, and keeps nothing. */
  readonly bare: number;
  readonly relay: number;
}

/** Medians of the rounds; ratios are taken in each round, since the machine has moods. */
interface BacklogRates extends Rates {
  readonly name: string;
  readonly toPlain: number;
  readonly toBare: number;
}

/** One after another in each. */
const rounds = 5;

/** A backlog in the log: relayed by each client; sent by a bare loop; and the same messages sent by that client from memory. */
export async function kafkaBacklog(
  uri: string,
  bootstrap: string,
  sides: readonly KafkaSide[],
  count: number,
): Promise<BacklogRates[]> {
  const { outbox, connection, close } = await open(uri, `kafka_backlog_${Date.now()}`);
  await fill(outbox, count);
  const all: Delivered<Message>[] = [];
  for await (const each of outbox.messages('beginning', { live: false })) all.push(each);
  const rates: BacklogRates[] = [];
  for (const side of sides) {
    const topic = `backlog-${Date.now()}`;
    await createTopic(bootstrap, topic);
    const taken: Rates[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const started = performance.now();
      for (let first = 0; first < count; first += batchSize)
        await side.sendPlain(topic, all.slice(first, first + batchSize));
      const plain = count / ((performance.now() - started) / 1_000);
      const bare = await bareLoop(connection, side, topic, count);
      const relay = await rate(count, (ran) => outbox.relay(`${topic}-${round}`, counted(side.publisher(topic), ran)));
      taken.push({ plain, bare, relay });
    }
    rates.push({
      name: side.name,
      plain: median(taken.map(({ plain }) => plain)),
      bare: median(taken.map(({ bare }) => bare)),
      relay: median(taken.map(({ relay }) => relay)),
      toPlain: median(taken.map(({ relay, plain }) => relay / plain)),
      toBare: median(taken.map(({ relay, bare }) => relay / bare)),
    });
  }
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return rates;
}

async function bareLoop(connection: Connection, side: KafkaSide, topic: string, count: number): Promise<number> {
  const started = performance.now();
  let next = plainPage(connection, 0);
  for (let position = 0; position < count;) {
    const page = await next;
    position = Number(page.at(-1)?._id);
    // Read ahead, as a relay does.
    next = plainPage(connection, position);
    const messages = page.map(({ _id, ...rest }) => ({ headers: {}, ...rest, position: Number(_id) }));
    for (let first = 0; first < messages.length; first += batchSize)
      await side.sendPlain(topic, messages.slice(first, first + batchSize) as unknown as Delivered<Message>[]);
  }
  await next;
  return count / ((performance.now() - started) / 1_000);
}

function counted(publisher: Publisher<Message>, ran: (messages: number) => void): Publisher<Message> {
  return {
    publish: async (messages, context) => {
      const result = await publisher.publish(messages, context);
      if ((result?.failed ?? []).length > 0) throw new Error('a message was refused');
      ran(messages.length);
    },
  };
}

/** A process of its own puts, 100 a transaction; this one sequences and relays. @returns messages per second, first put to last acknowledgement */
export async function kafkaEndToEnd(uri: string, bootstrap: string, side: KafkaSide, count: number): Promise<number> {
  const database = `kafka_end_to_end_${Date.now()}`;
  const topic = `end-to-end-${Date.now()}`;
  await createTopic(bootstrap, topic);
  const { outbox, connection, close } = await open(uri, database);
  const writer = fork(fileURLToPath(new URL('writer.ts', import.meta.url)), [uri, database, String(count)], {
    execArgv: ['--import', 'tsx'],
  });
  await new Promise((resolve) => writer.once('message', resolve));
  const perSecond = await rate(count, (ran) => {
    writer.send('go');
    return outbox.relay('kafka', counted(side.publisher(topic), ran));
  });
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return perSecond;
}

/** Milliseconds from the acknowledged commit of a single message to a Kafka consumer's having it, on an idle outbox. */
export async function kafkaLatency(
  uri: string,
  bootstrap: string,
  side: KafkaSide,
): Promise<{ p50Ms: number; p99Ms: number }> {
  const topic = `latency-${Date.now()}`;
  await createTopic(bootstrap, topic);
  const { outbox, connection, close } = await open(uri, `kafka_latency_${Date.now()}`);
  const consumer = kafkaOf(bootstrap).consumer({ groupId: topic, maxWaitTimeInMs: 500 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let came = (): void => undefined;
  await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve(came()) });
  const relay = outbox.relay('kafka', side.publisher(topic));
  const latencies: number[] = [];
  const [warmUp, samples] = [30, 200];
  for (let index = 0; index < warmUp + samples; index += 1) {
    const seen = new Promise<void>((resolve) => (came = resolve));
    await connection.transaction(async (session) => void (await outbox.put(message(index), session)), {
      writeConcern: { w: 'majority' },
    });
    const committed = performance.now();
    await seen;
    if (index >= warmUp) latencies.push(performance.now() - committed);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await relay.close();
  await consumer.disconnect();
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}
