import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { startKafka, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import { kafkaJars } from '../../../dev/brokers/kafka-jars.js';
import { fromKafka } from '../../../src/cloudevents.js';
import { PermanentError, Unavailable, type Delivered, type OutboxMessage } from '../../../src/index.js';
import { missingBroker } from '../../support/brokers.js';
import { range } from '../../support/orders.js';
import { waitFor } from '../../support/create-outbox.js';
import { keyed, watchedOutbox } from '../../support/watched-outbox.js';
import { clients, type Connect } from './clients.js';
import { KafkaTopic } from '../../support/kafka-topic.js';

const missing = await missingBroker('Kafka', kafkaJars);
let broker: KafkaBroker;
beforeAll(async () => {
  if (missing === undefined) broker = await startKafka();
});
afterAll(() => broker?.stop());

const context = { signal: new AbortController().signal, consumer: 'relay', epoch: 1 };

function messageAt(position: number, key?: string): Delivered<OutboxMessage> {
  const base = { type: 'order_created', data: { ordernr: position }, id: `id-${position}`, position };
  return { ...base, created: new Date(1_000), headers: {}, ...(key === undefined ? {} : { key }) };
}

async function opened(connect: Connect, options: object = {}, requestTimeout?: number) {
  const topic = new KafkaTopic(broker.bootstrap);
  const connected = await connect(broker.bootstrap, { topic: topic.name, ...options }, requestTimeout);
  onTestFinished(() => connected.close());
  return { topic, publisher: connected.publisher };
}

describe.skipIf(missing).each(clients)('over %s', (name, connect) => {
  it('the publisher sees how the client shares messages out, where it needs to: it warns of nothing', async () => {
    const { topic, publisher } = await opened(connect);
    await topic.create();
    const warning = vi.spyOn(process, 'emitWarning');
    onTestFinished(() => warning.mockRestore());
    await publisher.publish(
      range(1, 30).map((position) => messageAt(position, `key ${position % 7}`)),
      context,
    );
    expect(await topic.records()).toHaveLength(30);
    expect(warning).not.toHaveBeenCalled();
  });

  it('a topic that is missing stops the relay, which says so, and goes on when it is there', async () => {
    const { topic, publisher } = await opened(connect);
    const outbox = await watchedOutbox();
    await outbox.put(range(1, 30).map((nr) => keyed(nr, `key ${nr % 3}`)));
    outbox.outbox.relay('c', publisher, { retry: { initialDelayMs: 100, maxDelayMs: 500 } });
    await waitFor(() => outbox.of('consumer:outage').length > 0, 40_000);
    const [outage] = outbox.of('consumer:outage');
    expect(outage!.error).toBeInstanceOf(Unavailable);
    expect((outage!.error as Error).message).toContain(topic.name);
    expect(await outbox.failures()).toEqual([]);
    await topic.create();
    await waitFor(async () => (await outbox.checkpoint()).position === 30, 40_000);
    expect((await topic.records()).map(({ headers }) => Number(headers['position'])).sort((a, b) => a - b)).toEqual(
      range(1, 30),
    );
    expect(await outbox.failures()).toEqual([]);
  });

  it('with a request timeout that is too short for a hanging broker, what was acknowledged is stored', async () => {
    const { topic, publisher } = await opened(connect, {}, 1_000);
    await topic.create({ numPartitions: 1 });
    const acknowledged: number[] = [];
    await publisher.publish([messageAt(1, 'k')], context);
    acknowledged.push(1);
    broker.node.pause();
    const timer = setTimeout(() => broker.node.resume(), 3_000);
    onTestFinished(() => {
      clearTimeout(timer);
      broker.node.resume();
    });
    for (let position = 2; position <= 40;) {
      const done = await publisher.publish([messageAt(position, 'k')], context).then(
        (result) => (result?.failed ?? []).length === 0,
        () => false,
      );
      if (done) acknowledged.push(position++);
    }
    const firsts = [...new Set((await topic.records()).map(({ headers }) => Number(headers['position'])))];
    expect(firsts).toEqual(acknowledged);
  });

  it('two publishers on one producer take turns', async () => {
    const { topic, publisher } = await opened(connect);
    await topic.create({ numPartitions: 1 });
    const batches = range(0, 20).map((batch) => range(batch * 10 + 1, 10).map((position) => messageAt(position, 'k')));
    await Promise.all(batches.map((batch) => publisher.publish(batch, context)));
    expect((await topic.records()).map(({ headers }) => Number(headers['position']))).toEqual(range(1, 200));
  });

  it('CloudEvents can be read back', async () => {
    for (const mode of ['binary', 'structured'] as const) {
      const options = { format: 'cloudevents', cloudEvents: { source: '/orders', mode } };
      const { topic, publisher } = await opened(connect, options);
      await topic.create();
      await publisher.publish([messageAt(1, 'k')], context);
      const [record] = await topic.records();
      expect(fromKafka(record!)).toMatchObject({
        ...{ id: 'id-1', type: 'order_created', source: '/orders', partitionkey: 'k', data: { ordernr: 1 } },
        time: '1970-01-01T00:00:01.000Z',
      });
    }
  });

  it('bytes, tombstones and empty texts are stored as they are, or refused, and never one as the other', async () => {
    const values: Record<number, Buffer | string | null> = { 1: Buffer.from('bytes'), 2: null, 3: '' };
    const value = ({ position }: Delivered<OutboxMessage>) => values[position] ?? null;
    const { topic, publisher } = await opened(connect, { value });
    await topic.create({ numPartitions: 1 });
    const result = await publisher.publish([messageAt(1, 'k'), messageAt(2, 'k'), messageAt(3, 'k')], context);
    const stored = (await topic.records()).map((record) => record.value);
    if (name !== '@confluentinc/kafka-javascript') return expect(stored).toEqual(['bytes', null, '']);
    expect(stored).toEqual(['bytes', null]);
    expect(result).toEqual({ failed: [{ position: 3, error: expect.any(PermanentError) as Error }] });
  });
});
