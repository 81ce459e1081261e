import { Command, InvalidArgumentError } from 'commander';
import mongoose from 'mongoose';
import { withoutSecrets } from './secrets.js';

export interface DemoOptions {
  readonly orders: number;
  readonly seed: number;
  /** A MongoDB of the user's; may hold a password, so it is never printed. */
  readonly mongo?: string;
  /** `host:port` of Kafka brokers. */
  readonly kafka?: readonly string[];
  /** Whether the library's relay publishes, with a checkpoint of its own, instead of a loop with a cursor kept by hand. */
  readonly relay: boolean;
  /** A file of messages to put instead of made-up orders. */
  readonly input?: string;
}

const MOST_ORDERS = 100_000;
const LARGEST_SEED = 2 ** 32 - 1;

/** @throws CommanderError, after the text for the user was printed; `exitCode` 0 after `--help`, else not 0 */
export function parseOptions(argv: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description(
      'Places orders from concurrent writers, publishes their messages through a relay that is killed twice, ' +
        'and compares what is in the broker with what was committed. Starts a MongoDB of its own.',
    )
    .option('--orders <number>', `orders to place, 1 to ${MOST_ORDERS} (default: 2000)`, wholeNumber(1, MOST_ORDERS))
    .option('--seed <number>', 'repeats the same orders and kills (default: random)', wholeNumber(0, LARGEST_SEED))
    .option('--mongo <uri>', 'use this replica set, in a database of its own that is dropped at the end')
    .option('--kafka <host:port>', 'publish to this Kafka, to a topic of its own, instead of a file', brokers)
    .option(
      '--relay',
      'publish with outbox.relay(), which keeps its own checkpoint, instead of a loop with a stored cursor',
    )
    .option('--input <file>', 'put the messages of this file instead of orders: one { type, data } as JSON a line')
    .addHelpText(
      'after',
      '\nA line of --input may also have "key", "headers" and "id"; each line becomes a transaction.\n' +
        '\nExit code: 0 nothing lost, invented or out of order; 1 otherwise, or failed; 2 wrong options; 130 interrupted.',
    )
    .allowExcessArguments(false)
    .showHelpAfterError('(--help tells the options)')
    .configureOutput({ outputError: (text, write) => write(withoutSecrets(text, uriIn(argv))) })
    .exitOverride();
  command.parse([...argv], { from: 'user' });
  const { orders, seed, relay, ...given } = command.opts<Partial<DemoOptions>>();
  const wrongUri = given.mongo === undefined ? undefined : problemOfUri(given.mongo);
  if (wrongUri !== undefined) command.error(`error: option '--mongo <uri>' is invalid. ${wrongUri}`);
  if (given.input !== undefined && orders !== undefined)
    command.error("error: options '--input' and '--orders' exclude each other: a file says itself how many there are");
  return {
    orders: orders ?? 2_000,
    seed: seed ?? Math.floor(Math.random() * LARGEST_SEED),
    relay: relay ?? false,
    ...given,
  };
}

/** Found by the driver's own parser, which does not connect. */
function problemOfUri(uri: string): string | undefined {
  try {
    new mongoose.mongo.MongoClient(uri);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Commander repeats wrong arguments in its errors. */
function uriIn(argv: readonly string[]): string | undefined {
  return argv.map((argument) => /mongodb(\+srv)?:\/\/.*/.exec(argument)?.[0]).find((uri) => uri !== undefined);
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

function brokers(text: string): string[] {
  const list = text.split(',');
  const port = (broker: string): number => Number(/^[^\s:/]+:(\d{1,5})$/.exec(broker)?.[1] ?? 0);
  if (!list.every((broker) => port(broker) >= 1 && port(broker) <= 65_535))
    throw new InvalidArgumentError('It must be HOST:PORT, or several of them with commas between.');
  return list;
}
