import { setTimeout as delay } from 'node:timers/promises';

import { PermanentError, type Delivered, type HandlerContext, type TransactionalContext } from '../../../src/index.js';
import type { Seen } from '../history/records.js';
import { PROJECTION, type Context } from './context.js';
import type { FaultMessage } from './messages.js';

export function seen({ position, data, created }: Delivered<FaultMessage>): Seen {
  return { position, uid: data.uid, created: created.getTime() };
}

/** Does what the message says: fails some attempts, or all of them; writes down what it got and what became of it. */
export function handler({ history }: Context, random: () => number) {
  return async (message: Delivered<FaultMessage>, context: HandlerContext): Promise<void> => {
    const { consumer, epoch, attempt, signal } = context;
    const positions = [message.position];
    history.write({ kind: 'delivery', consumer, epoch, attempt, entries: [seen(message)] });
    const luck = random();
    if (luck < 0.3) await delay(luck < 0.003 ? 200 : 2);
    const fails = message.data.poison || attempt <= message.data.fail;
    const outcome = fails ? 'failed' : signal.aborted ? 'abandoned' : 'ok';
    history.write({ kind: 'handled', consumer, epoch, outcome, positions });
    if (message.data.poison) throw new PermanentError('poison');
    if (fails) throw new Error(`attempt ${attempt} of ${message.data.fail} that fail`);
  };
}

/** Its effect is a document written in the consumer's transaction: one for each message, whatever happens. */
export function projector({ history, connection }: Context) {
  return async (message: Delivered<FaultMessage>, context: TransactionalContext): Promise<void> => {
    const { consumer, epoch, attempt, session } = context;
    history.write({ kind: 'delivery', consumer, epoch, attempt, entries: [seen(message)] });
    await connection.collection(PROJECTION).insertOne({ uid: message.data.uid }, { session });
    if (message.data.poison) throw new PermanentError('poison');
    if (attempt <= message.data.fail) throw new Error(`attempt ${attempt} of ${message.data.fail} that fail`);
    // The commit is still to come.
    history.write({ kind: 'handled', consumer, epoch, outcome: 'ok', positions: [message.position] });
  };
}
