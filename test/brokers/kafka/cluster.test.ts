import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { kafkaJars } from '../../../dev/brokers/kafka-jars.js';
import { startKafkaCluster, type KafkaBroker } from '../../../dev/brokers/kafka.js';
import type { Cluster } from '../../../dev/brokers/start-cluster.js';
import { kafkaPublisher } from '../../../src/kafka.js';
import { missingBroker } from '../../support/brokers.js';
import { waitFor } from '../../support/create-outbox.js';
import { kafkaClient } from '../../support/kafka-topic.js';
import { range } from '../../support/orders.js';
import { batchSize, expectAll, relayed, waitForOutageOrAWhile, writing } from '../relay-faults.js';
import { clients, type Connect } from './clients.js';
import { openKafkaFixture } from './kafka-fixture.js';

/** How long it takes at most until a relay goes on with another leader. */
const goesOnMs = 60_000;

const missing = await missingBroker('a Kafka cluster', kafkaJars);
let cluster: Cluster<KafkaBroker>;
const bootstrapOf = (brokers: readonly KafkaBroker[]) => brokers.map(({ bootstrap }) => bootstrap).join(',');
beforeAll(async () => {
  if (missing === undefined) cluster = await startKafkaCluster();
});
afterAll(() => cluster?.stop());

/** kafkajs, as docs/brokers/kafka.md says for a producer behind something that copies what is sent. */
const copying: Connect = async (bootstrap, options) => {
  const producer = kafkaClient(bootstrap).producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
  await producer.connect();
  const copied: Parameters<typeof kafkaPublisher>[0] = {
    sendBatch: ({ topicMessages, ...rest }) => {
      const copies = topicMessages.map(({ topic, messages }) => ({
        topic,
        messages: messages.map((each) => ({ ...each })),
      }));
      return producer.sendBatch({ ...rest, topicMessages: copies });
    },
  };
  return {
    publisher: kafkaPublisher(copied, options),
    clientWorks: (topic) => producer.send({ topic, messages: [{ value: 'works' }] }).then(Boolean),
    close: () => producer.disconnect(),
  };
};

describe.skipIf(missing).each(clients)('three brokers, over %s', (name, connect) => {
  const open = async (config = {}, connectBy = connect) => {
    const { members } = cluster;
    const broker = { bootstrap: bootstrapOf(members), node: members[0]!.node };
    // While one leader is away, what the others took of a batch is stored again with each try.
    const tries = { refused: 0 };
    const opened = await relayed(async () => {
      const fixture = await openKafkaFixture(broker, connectBy, config);
      const { publisher } = fixture;
      const publish: typeof publisher.publish = async (messages, context) => {
        try {
          return await publisher.publish(messages, context);
        } catch (error) {
          tries.refused += 1;
          throw error;
        }
      };
      return { ...fixture, publisher: { publish } };
    });
    const mostRepeats = () => batchSize * Math.max(1, tries.refused);
    const passes = async (more: number) => {
      const { position } = await opened.outbox.info('relay');
      await waitFor(async () => (await opened.outbox.info('relay')).position > position + more, goesOnMs);
    };
    return { ...opened, passes, mostRepeats };
  };
  /** The leader of the first partition; and whether it leads none any more, as the others see it. */
  const leaderOf = async ({ broker }: Awaited<ReturnType<typeof open>>) => {
    const [id = 0] = await broker.topic.leaders();
    const others = bootstrapOf(cluster.members.filter((_, index) => index !== id - 1));
    return {
      node: cluster.members[id - 1]!.node,
      isReplaced: async () => !(await broker.topic.leaders(others)).includes(id),
    };
  };

  /** Kills a leader while the relay is at work, and starts it again when the next one leads. */
  const survivesLeader = async (relay: Awaited<ReturnType<typeof open>>) => {
    const writer = writing(relay.put);
    await relay.passes(100);
    const { node } = await leaderOf(relay);
    onTestFinished(() => node.restart());
    await node.kill9();
    // Each batch has messages for all partitions.
    await relay.passes(3 * batchSize);
    await node.restart();
    await relay.passes(batchSize);
    await expectAll(relay.outbox, relay.broker, await writer.stop(), relay.mostRepeats());
  };

  it('a leader that is killed and stays away: the relay goes on with the next one, and loses nothing', async () => {
    await survivesLeader(await open());
  });

  // The others acknowledge what they have sent.
  if (name === 'kafkajs')
    it('behind a wrapper that copies messages nothing is lost either, without retries', async () => {
      const warning = vi.spyOn(process, 'emitWarning').mockReturnValue();
      onTestFinished(() => warning.mockRestore());
      await survivesLeader(await open({}, copying));
      expect(warning).toHaveBeenCalledOnce();
    });

  it('a leader that hangs until it is none any more: nothing is lost of what it was sent', async () => {
    const relay = await open();
    const writer = writing(relay.put);
    await relay.passes(100);
    const { node, isReplaced } = await leaderOf(relay);
    onTestFinished(() => node.resume());
    node.pause();
    await waitFor(isReplaced, goesOnMs);
    node.resume();
    await relay.passes(3 * batchSize);
    await expectAll(relay.outbox, relay.broker, await writer.stop(), relay.mostRepeats());
  });

  it('where too few have a copy it waits, and no message is to blame', async () => {
    const { broker, outbox, put, mostRepeats } = await open({
      configEntries: [{ name: 'min.insync.replicas', value: '3' }],
    });
    await put(range(1, 300));
    await waitFor(async () => (await outbox.info('relay')).position === 300, goesOnMs);
    const { node } = cluster.members[1]!;
    onTestFinished(() => node.restart());
    await node.kill9();
    await put(range(301, 300));
    await waitForOutageOrAWhile(outbox);
    expect((await outbox.info('relay')).position).toBe(300);
    await node.restart();
    await expectAll(outbox, broker, 600, mostRepeats());
  });
});
