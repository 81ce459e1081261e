import { writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Kafka, logLevel } from 'kafkajs';

import { kafkaJars, kafkaVersion } from './kafka-jars.js';
import { startBroker, type Broker, type BrokerOptions } from './start-broker.js';

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
  'node.id': 1,
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
  const jars = await kafkaJars();
  const server = { binary: 'java', version: kafkaVersion, source: jars, env: {} };
  const broker = await startBroker(
    {
      name: 'kafka',
      server,
      scheme: 'kafka',
      morePorts: 1,
      launch: async ({ folder, port, morePorts: [controllerPort] }) => {
        const bootstrap = `127.0.0.1:${port}`;
        const properties = join(folder, 'server.properties');
        const all: KafkaSettings = {
          ...small,
          listeners: `PLAINTEXT://${bootstrap},CONTROLLER://127.0.0.1:${controllerPort}`,
          'advertised.listeners': `PLAINTEXT://${bootstrap}`,
          'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
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
