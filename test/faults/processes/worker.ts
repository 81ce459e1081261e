import { seededRandom } from '../../../demo/random.js';
import type { Consumer, ConsumerOptions, Publisher } from '../../../src/index.js';
import { brokerDestination } from './broker-destination.js';
import { CONSUMERS, type ConsumerName } from './consumers.js';
import { openOutbox, rest, type Context, type FaultOutbox } from './context.js';
import { destinationPublisher } from './destination-client.js';
import { handler, projector } from './handlers.js';
import type { FaultMessage, FaultType } from './messages.js';

type PlainOptions = ConsumerOptions<FaultType> & { transactional?: false };

/** Runs all consumers that are not drained, beside other workers; closes one now and then and begins it again. */
export async function run(context: Context): Promise<void> {
  const outbox = await openOutbox(context);
  if (outbox === undefined) return;
  const { task, stop, tell, history } = context;
  const random = seededRandom(task.seed);
  outbox.on('consumer:stop', ({ consumer, epoch }) => history.write({ kind: 'handed over', consumer, epoch }));

  const destination = destinationPublisher(context);
  const broker = task.broker === undefined ? undefined : brokerDestination(context, task.broker);
  const running = new Map<ConsumerName, Consumer>();
  const begin = (name: ConsumerName): void => {
    const relayTo = name === 'relay' ? (broker ?? destination) : destination;
    const consumer = started(name, outbox, context, random, relayTo);
    running.set(name, consumer);
    consumer.closed.catch((error: unknown) =>
      tell({ kind: 'violation', text: `consumer ${name} of ${task.process} ended: ${String(error)}` }),
    );
  };
  const names = (Object.keys(CONSUMERS) as ConsumerName[]).filter((name) => !('drained' in CONSUMERS[name]));
  names.forEach(begin);
  tell({ kind: 'ready' });

  while (!stop.aborted) {
    await rest(3_000 + 12_000 * random(), stop);
    const name = names[Math.floor(random() * names.length)]!;
    await running.get(name)?.close();
    if (!stop.aborted) begin(name);
  }
  await outbox.close();
  await broker?.close();
}

function started(
  name: ConsumerName,
  outbox: FaultOutbox,
  context: Context,
  random: () => number,
  relayTo: Publisher<FaultMessage>,
): Consumer {
  const { kind, options } = CONSUMERS[name];
  if (kind === 'relay') return outbox.relay(name, relayTo, options);
  if (kind === 'transactional')
    return outbox.consume(name, projector(context), options as ConsumerOptions<FaultType> & { transactional: true });
  return outbox.consume(name, handler(context, random), options as PlainOptions);
}
