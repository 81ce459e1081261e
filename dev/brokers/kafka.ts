import { writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Kafka, logLevel } from 'kafkajs';

import { freePorts } from '../free-ports.js';
import { kafkaJars, kafkaVersion } from './kafka-jars.js';
import { startBroker, type Broker, type BrokerOptions } from './start-broker.js';
import { startCluster, type Cluster } from './start-cluster.js';

const run = promisify(execFile);

/** A broker of its own on 127.0.0.1, which is its own controller. */
export interface KafkaBroker extends Broker {
  /** `host:port`, for `brokers` or `bootstrap.servers`. */
  readonly bootstrap: string;
}

/** Broker settings by name: https://kafka.apache.org/documentation/#brokerconfigs */
export type KafkaSettings = Readonly<Record<string, string | number | boolean>>;

/** As little as one broker needs; a killed one may come back after two seconds. */
const small: KafkaSettings = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'auto.create.topics.enable': false,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  'broker.session.timeout.ms': 2_000,
  'broker.heartbeat.interval.ms': 500,
  'num.network.threads': 1,
  'num.io.threads': 2,
  'background.threads': 2,
  'num.recovery.threads.per.data.dir': 1,
  'log.cleaner.dedupe.buffer.size': 4_194_304,
};
/** The smallest heap it was seen to work with under load. */
const jvm = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError'];

/** Starts a broker; resolves when it answers. Topics are not created by themselves, unless `settings` say so. */
export async function startKafka(settings: KafkaSettings = {}, options: BrokerOptions = {}): Promise<KafkaBroker> {
  const [port, controller] = (await freePorts(2)) as [number, number];
  return startMember({ id: 1, port, controllers: [controller] }, settings, options);
}

/** Three brokers with the ids 1 to 3, which are controllers too: of each partition all three have a copy, and two must have what is acknowledged. */
export async function startKafkaCluster(options: BrokerOptions = {}): Promise<Cluster<KafkaBroker>> {
  const all = await freePorts(6);
  const [ports, controllers] = [all.slice(0, 3), all.slice(3)];
  const copies: KafkaSettings = {
    'default.replication.factor': 3,
    'min.insync.replicas': 2,
    'offsets.topic.replication.factor': 3,
    // A follower that hangs is left out after that time, and until then holds up every acknowledgement.
    'replica.lag.time.max.ms': 3_000,
    'controller.quorum.election.timeout.ms': 500,
    'controller.quorum.fetch.timeout.ms': 1_000,
  };
  return startCluster(ports.map((port, index) => startMember({ id: index + 1, port, controllers }, copies, options)));
}

/** One broker, alone or of a cluster: `controllers` are the ports of all of them, in the order of their ids. */
async function startMember(
  { id, port, controllers }: { id: number; port: number; controllers: readonly number[] },
  settings: KafkaSettings,
  options: BrokerOptions,
): Promise<KafkaBroker> {
  const jars = await kafkaJars();
  const server = { binary: 'java', version: kafkaVersion, source: jars, env: {} };
  const broker = await startBroker(
    {
      name: 'kafka',
      server,
      scheme: 'kafka',
      port,
      launch: async ({ folder }) => {
        const bootstrap = `127.0.0.1:${port}`;
        const properties = join(folder, 'server.properties');
        const all: KafkaSettings = {
          ...small,
          listeners: `PLAINTEXT://${bootstrap},CONTROLLER://127.0.0.1:${controllers[id - 1]}`,
          'advertised.listeners': `PLAINTEXT://${bootstrap}`,
          'node.id': id,
          'controller.quorum.voters': controllers.map((each, index) => `${index + 1}@127.0.0.1:${each}`).join(),
          'log.dirs': join(folder, 'data'),
          ...settings,
        };
        writeFileSync(
          properties,
          Object.entries(all)
            .map((pair) => pair.join('='))
            .join('\n'),
        );
        writeFileSync(join(folder, 'log4j2.properties'), logging);
        const java = [
          ...jvm,
          `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
          '-cp',
          join(jars, '*'),
        ];
        const cluster = ['-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', properties];
        await run('java', [...java, 'kafka.tools.StorageTool', 'format', ...cluster]);
        return { args: [...java, 'kafka.Kafka', properties], isReady: () => answers(bootstrap) };
      },
    },
    options,
  );
  return { ...broker, bootstrap: broker.url.replace('kafka://', '') };
}

const logging = `status=warn
appender.console.type=Console
appender.console.name=out
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
`;

/** It takes connections before it knows of itself. */
async function answers(bootstrap: string): Promise<boolean> {
  const retry = { retries: 0 };
  const admin = new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry,
    connectionTimeout: 1_000,
  }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}
