import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { cacheFolder } from '../executables.js';
import { NotApplicable, tryInOrder } from '../first-that-works.js';

const run = promisify(execFile);

export const kafkaVersion = '4.4.0';
/** The one jar that Kafka does not bring: without it the broker writes no log. As new as the log4j that it does bring. */
const log4jVersion = '2.25.5';

const advice =
  'What to do: install a Java runtime of version 17 or newer, and either Maven or a Kafka of version 4; for that, set KAFKA_LIBS to the folder with its jars (libs).';

/** A folder with the jars of a broker. */
export async function kafkaJars(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  await run('java', ['-version']).catch((error: unknown) => {
    throw new Error(`No java was found. ${advice}`, { cause: error });
  });
  const ways = [
    { name: 'KAFKA_LIBS', get: () => fromEnvironment(env), decisive: true },
    { name: `Kafka ${kafkaVersion}, cached`, get: () => fromCache(env) },
    { name: `Kafka ${kafkaVersion} by Maven`, get: () => fromMaven(env) },
  ];
  return tryInOrder(ways, 'No Kafka was found', advice);
}

const folderOf = (env: NodeJS.ProcessEnv): string => join(cacheFolder(env), `kafka-${kafkaVersion}`);

async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = env['KAFKA_LIBS'];
  if (!folder) throw new NotApplicable('not set');
  if (!(await readdir(folder)).some((file) => /^kafka_.*[.]jar$/.test(file)))
    throw new Error(`there is no kafka_*.jar in ${folder}`);
  return folder;
}

async function fromCache(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = folderOf(env);
  await access(folder).catch(() => {
    throw new NotApplicable('not downloaded yet');
  });
  return folder;
}

async function fromMaven(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = folderOf(env);
  await mkdir(dirname(folder), { recursive: true });
  // Made ready beside its final place: two processes may do this at once, and neither may see half of it.
  const work = await mkdtemp(`${folder}.tmp-`);
  try {
    await writeFile(join(work, 'pom.xml'), pom(join(work, 'jars')));
    await run('mvn', ['-B', '-q', '-ntp', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies'], {
      timeout: 600_000,
    });
    await rename(join(work, 'jars'), folder).catch(async (error: unknown) => {
      // Another process was first.
      await access(folder).catch(() => {
        throw error;
      });
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function pom(jars: string): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', kafkaVersion)}
${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', log4jVersion)}
</dependencies>
<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
<configuration><outputDirectory>${jars}</outputDirectory><includeScope>runtime</includeScope></configuration></plugin></plugins></build>
</project>`;
}
