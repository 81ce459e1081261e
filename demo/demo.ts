/**
 * The outbox at work: a service places orders in transactions, a relay publishes their messages and is killed twice, and
 * what is in the broker at the end is compared with what was committed. `npm run demo -- --help` tells the options.
 */
import { CommanderError } from 'commander';
import { topicIn } from './brokers/open.js';
import { Cleanup } from './cleanup.js';
import { openDatabase } from './database.js';
import { InputError } from './input-file.js';
import { parseOptions, type DemoOptions } from './options.js';
import { planKills } from './plan-kills.js';
import { startProgress } from './progress.js';
import { seededRandom } from './random.js';
import { reportTable, verdict } from './report.js';
import { run } from './run.js';
import { withoutSecrets } from './secrets.js';
import { verify } from './verify.js';
import { planWork } from './work.js';

const EXIT = { kept: 0, failed: 1, usage: 2, interrupted: 130 } as const;

const cleanup = new Cleanup();
/** When the first Ctrl-C came. */
let interruptedAt: number | undefined;
/** Never to be printed. */
let uri: string | undefined;

async function demo(options: DemoOptions): Promise<number> {
  const { seed, mongo, kafka, relay } = options;
  const random = seededRandom(seed);
  const { writers, types } = planWork(options, random);
  const kills = planKills(writers.flat().length, random);

  const topic = topicIn(kafka);
  let keep = false;
  cleanup.add(() => (keep ? undefined : topic.remove()));
  await topic.create();
  const database = await openDatabase(mongo, types, cleanup, console.log);
  console.log(`Broker: ${topic.place}`);
  console.log(`Relay: ${relay ? 'outbox.relay(), with its own checkpoint' : 'a loop, with a cursor stored by hand'}`);
  console.log(`Seed: ${seed}`);

  const progress = startProgress();
  cleanup.add(() => progress.stop());
  const placed = await run({ database, topic, types, writers, kills, relay }, progress, cleanup);
  progress.stop();
  const findings = verify(placed, await topic.read());
  keep = true;
  await cleanup.run();

  const { kept, sentence } = verdict(findings);
  console.log(`${reportTable(findings)}\n${sentence}\nThe messages are still there to look at: ${topic.place}`);
  return kept ? EXIT.kept : EXIT.failed;
}

/**
 * Ctrl-C: undo everything, and end. A second one does not wait for that; but one within a second is the same once more,
 * from the terminal and from the process that started this one.
 */
function interrupt(): void {
  if (interruptedAt !== undefined) {
    if (Date.now() - interruptedAt > 1_000) process.exit(EXIT.interrupted);
    return;
  }
  interruptedAt = Date.now();
  cleanup
    .run()
    .catch((error: unknown) => complain('Cleaning up failed', error))
    .finally(() => process.exit(EXIT.interrupted));
}

function complain(what: string, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  console.error(withoutSecrets(`${what}: ${text}`, uri));
}

async function main(): Promise<number> {
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const options = parseOptions(process.argv.slice(2));
    uri = options.mongo;
    return await demo(options);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    // What fails because everything is being taken away is no news.
    if (interruptedAt !== undefined) return EXIT.interrupted;
    if (!(error instanceof InputError))
      await cleanup.run().catch((failure: unknown) => complain('Cleaning up failed', failure));
    complain(error instanceof InputError ? 'Wrong input' : 'The demo failed', error);
    return error instanceof InputError ? EXIT.usage : EXIT.failed;
  }
}

process.exitCode = await main();
