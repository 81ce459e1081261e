import { seededRandom } from '../../../demo/random.js';
import { OutboxError } from '../../../src/index.js';
import type { ConsumerName } from './consumers.js';
import { isPassing, openOutbox, rest, type Context, type FaultOutbox } from './context.js';
import { seen } from './handlers.js';

/** How far back a rewind goes. */
const REWIND = 200;
/** In the names of consumers that come and go. */
export const LATE = '-late-';

/** Does what an operator does: looks, pauses, rewinds, retries dead letters, and adds consumers that come and go. */
export async function run(context: Context): Promise<void> {
  const outbox = await openOutbox(context);
  if (outbox === undefined) return;
  const { task, stop, tell } = context;
  const random = seededRandom(task.seed);
  await tidyUp(context, outbox);
  tell({ kind: 'ready' });
  for (let count = 1; !stop.aborted; count += 1) {
    await rest(500 + 1_500 * random(), stop);
    const action = actions[Math.floor(random() * actions.length)]!;
    try {
      tell({ kind: 'note', text: action.name });
      await action(context, outbox, random, `${task.process}${LATE}${count}`);
    } catch (error) {
      if (!isPassing(error) && !isExpected(error))
        tell({ kind: 'violation', text: `${action.name}: ${String(error)}` });
      else tell({ kind: 'note', text: `${action.name}: ${String(error)}` });
    }
  }
  await outbox.close();
}

/** A pause, and a consumer, outlive the process that asked for them: an admin that was killed leaves them behind. */
async function tidyUp({ tell, stop }: Context, outbox: FaultOutbox): Promise<void> {
  while (!stop.aborted) {
    try {
      for (const { name } of await outbox.consumers.list())
        if (name.includes(LATE)) await outbox.consumers.remove(name);
        else await outbox.consumers.resume(name);
      return;
    } catch (error) {
      tell({ kind: 'note', text: `tidying up: ${String(error)}` });
      await rest(200, stop);
    }
  }
}

type Action = (context: Context, outbox: FaultOutbox, random: () => number, name: string) => Promise<void>;

const paused: readonly ConsumerName[] = ['keyed', 'strict', 'relay', 'projection', 'drained'];
const rewound: readonly ConsumerName[] = ['keyed', 'strict', 'relay', 'drained'];

const look: Action = async (_context, outbox) => {
  await outbox.status();
};

const retryDead: Action = async (_context, outbox) => {
  await outbox.failures.retry({ state: 'dead', limit: 5 });
};

const pause: Action = async ({ stop }, outbox, random) => {
  const name = paused[Math.floor(random() * paused.length)]!;
  try {
    await outbox.consumers.pause(name, { by: 'admin', reason: 'fault run' });
    await rest(1_000 * random(), stop);
  } finally {
    await outbox.consumers.resume(name);
  }
};

const rewind: Action = async ({ history }, outbox, random) => {
  const name = rewound[Math.floor(random() * rewound.length)]!;
  const info = (await outbox.consumers.list()).find((consumer) => consumer.name === name);
  if (info === undefined) return;
  const position = Math.max(0, info.position - Math.ceil(REWIND * random()));
  const rewinding = { consumer: name, position };
  history.write({ kind: 'rewinding', ...rewinding });
  await outbox.consumers.rewind(name, position);
  history.write({ kind: 'rewound', ...rewinding });
};

/** A consumer that is registered while others run, reads on from there, and is removed. Its history is that of a reader. */
const comeAndGo: Action = async ({ history, stop, tell }, outbox, random, name) => {
  const from = (['beginning', 'end'] as const)[Math.floor(2 * random())]!;
  const onStart = (started: { consumer: string; position: number }): void => {
    if (started.consumer === name)
      history.write({ kind: 'open', reader: name, cursor: { position: started.position } });
  };
  outbox.on('consumer:start', onStart);
  const consumer = outbox.consume(
    name,
    (message) => void history.write({ kind: 'read', reader: name, entries: [seen(message)] }),
    { from, order: 'strict', batchSize: 1 },
  );
  consumer.closed.catch((error: unknown) => {
    if (!(error instanceof OutboxError && error.code === 'CONSUMER_REMOVED'))
      tell({ kind: 'violation', text: `consumer ${name} ended: ${String(error)}` });
  });
  await rest(3_000 * random(), stop);
  await consumer.close();
  outbox.off('consumer:start', onStart);
  await removed(outbox, name);
};

/** Left there, it would keep the log full for ever. */
async function removed(outbox: FaultOutbox, name: string): Promise<void> {
  for (;;) {
    try {
      return await outbox.consumers.remove(name);
    } catch (error) {
      if (error instanceof OutboxError && error.code === 'UNKNOWN_CONSUMER') return;
      if (!isPassing(error)) throw error;
    }
  }
}

const actions: readonly Action[] = [look, retryDead, pause, rewind, rewind, comeAndGo];

/** Not registered yet, or overwritten meanwhile. */
function isExpected(error: unknown): boolean {
  return error instanceof OutboxError && ['UNKNOWN_CONSUMER', 'POSITION_LOST'].includes(error.code);
}
