import { expect, it, onTestFinished } from 'vitest';

import { doneOf, expectFirstsInKeyOrder, keyed, repeatsOf } from '../../support/consumer-runs.js';
import { createConsuming, quickRetry } from '../../support/consuming.js';
import { waitFor } from '../../support/create-outbox.js';
import { range } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import type { Run } from '../../support/scripted-work.js';

const server = ownServer({ electionTimeoutMs: 1_000 });

it.each([
  {
    what: 'step-downs of the primary',
    fault: async () => {
      await server.client
        .db('admin')
        .command({ replSetStepDown: 1, force: true })
        .catch(() => undefined);
      await server.set.primary();
    },
  },
  {
    what: 'kill -9 and restart of mongod',
    fault: async () => {
      await server.set.nodes[0]!.kill9();
      await server.set.nodes[0]!.restart();
      await server.set.primary();
    },
  },
])(
  'consumers go on by themselves through $what, and lose nothing',
  async ({ fault }) => {
    const runs: Run[] = [];
    const uri = server.uri;
    const batchSize = 50;
    const connect = { heartbeatFrequencyMS: 500 };
    const options = { leaseMs: 2_000 };
    const one = await createConsuming({ uri, connect, options }, runs);
    const two = await createConsuming({ uri, connect, options, database: one.database }, runs);
    const counts: number[] = [];
    const consumers = [one, two].flatMap((each) => [
      each.consume({ batchSize, concurrency: 4, retry: quickRetry }),
      each.outbox.consume(
        'counts',
        async (_message, { session }) => {
          await each.connection
            .collection('projection')
            .updateOne({ _id: 'n' as never }, { $inc: { n: 1 } }, { upsert: true, session });
        },
        { transactional: true },
      ),
    ]);
    const endings: unknown[] = [];
    for (const { closed } of consumers) closed.catch((error: unknown) => endings.push(error));
    let put = 0;
    let putting = true;
    // Also when the test fails: a closed outbox refuses at once, and the loop would leave no turn to anything else.
    onTestFinished(() => {
      putting = false;
    });
    const writer = (async () => {
      for (let n = 1; putting; n += 1) {
        const committed = await one.put([keyed(n, `k${n % 6}`, n % 20 === 0 ? 'fail:1' : 'wait:1')]).then(
          () => true,
          () => false,
        );
        // What was refused may be there all the same.
        if (committed) counts.push(n);
        put = n;
        // A pace that a consumer in transactions keeps up with on a busy machine too.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    for (const round of [1, 2]) {
      await waitFor(() => new Set(doneOf(runs)).size > round * 40, 45_000);
      await fault();
    }
    const before = new Set(doneOf(runs)).size;
    await waitFor(() => new Set(doneOf(runs)).size > before + 20, 45_000);
    putting = false;
    await writer;
    await waitFor(async () => {
      const { pending, log, consumers: infos } = await one.outbox.status();
      return (
        pending.count === 0 &&
        infos.length === 2 &&
        infos.every((info) => info.position === log.last && info.retrying === 0)
      );
    }, 45_000).catch(async (error: unknown) => {
      // Whether it is stuck, and where, can't be seen from outside later.
      const failures = await one.outbox.failures.list({ all: true, limit: 20 });
      throw new Error(JSON.stringify({ status: await one.outbox.status(), failures }), { cause: error });
    });
    expect(endings).toEqual([]);
    expect(range(1, put).filter((n) => counts.includes(n) && !doneOf(runs).includes(n))).toEqual([]);
    expectFirstsInKeyOrder(runs, 'begin');
    expectFirstsInKeyOrder(runs, 'done');
    // Each change of the owner repeats at most a window.
    const { epoch } = await one.info();
    expect(repeatsOf(runs)).toBeLessThanOrEqual((epoch - 1) * batchSize);
    const { log } = await one.outbox.status();
    expect(await one.connection.collection('projection').findOne()).toMatchObject({ n: log.last });
  },
  180_000,
);
