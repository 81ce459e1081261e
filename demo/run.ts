import { setTimeout as delay } from 'node:timers/promises';
import { Board, Stalled } from './board.js';
import type { Topic } from './brokers/broker.js';
import { Child } from './child-process.js';
import type { Cleanup } from './cleanup.js';
import type { Database } from './database.js';
import type { TypesOfFile } from './outbox.js';
import type { Kill } from './plan-kills.js';
import type { OrdersByWriter } from './plan-orders.js';
import type { Progress } from './progress.js';
import { RelayLives } from './relay-lives.js';
import type { ServiceReport, ServiceTask } from './service-process.js';
import type { Placed } from './verify.js';

/** What one run is made of. */
export interface Run {
  readonly database: Database;
  readonly topic: Topic;
  readonly types: TypesOfFile | undefined;
  readonly writers: OrdersByWriter;
  readonly kills: readonly Kill[];
  /** Whether it is the library's relay that publishes. */
  readonly relay: boolean;
}

/** The orders are spread over so long; the relay is away for a few seconds of it. */
const DURATION_MS = 15_000;
/** When nothing at all happens for so long, something is lost or hangs. */
const SILENCE_MS = 30_000;

/** Places the orders while the relay publishes, is killed and comes back. Returns what the service recorded. */
export async function run(
  { database, topic, types, writers, kills, relay: durable }: Run,
  progress: Progress,
  cleanup: Cleanup,
) {
  const board = new Board();
  const placed: Placed[] = [];
  const orders = writers.flat().length;
  let messages = 0;
  let allPlaced = false;

  const changed = (): void => {
    progress.show({
      placed: placed.length,
      orders,
      published: relay.highest,
      messages: Math.max(messages, relay.highest),
    });
    board.update();
  };
  const failed = (who: string) => (error: Error) => board.fail(new Error(`the ${who} failed: ${error.message}`));

  const relay = new RelayLives(
    { ...database, types, topic: topic.address, durable },
    cleanup,
    changed,
    failed('relay'),
  );
  relay.start(kills.length > 0);
  const onReport = (report: ServiceReport): void => {
    if (report.kind === 'done') allPlaced = true;
    else placed.push(report.placed);
    if (report.kind === 'placed' && report.placed.outcome === 'committed') messages += report.placed.ids.length;
    changed();
  };
  const service = new Child<ServiceTask, ServiceReport>(
    import.meta.resolve('./service-process.ts'),
    onReport,
    failed('service'),
  );
  // Not killed: the server would keep the locks of its open transactions, and the database could not be dropped.
  cleanup.add(() => service.stop());
  service.begin({ ...database, types, writers, durationMs: DURATION_MS });

  for (const [index, { afterOrders, delayMs }] of kills.entries()) {
    const due = (): boolean =>
      placed.length >= afterOrders && relay.life.reading && (relay.life.published > 0 || allPlaced);
    await board.until('the next kill', due, SILENCE_MS);
    await delay(delayMs);
    await relay.kill();
    progress.log(`Killed the relay after ${placed.length} orders; it had published up to message ${relay.highest}.`);
    relay.start(index < kills.length - 1);
  }
  const finished = (): boolean => allPlaced && relay.life.reading && relay.life.published >= messages;
  try {
    await board.until('the last messages', finished, SILENCE_MS);
    await relay.stop();
  } catch (error) {
    if (!(error instanceof Stalled)) throw error;
    // What is missing will show in the broker.
    progress.log(`The relay does not go on: ${error.message}.`);
    await relay.kill();
  }
  return placed;
}
