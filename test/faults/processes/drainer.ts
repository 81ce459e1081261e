import { seededRandom } from '../../../demo/random.js';
import { CONSUMERS } from './consumers.js';
import { isPassing, openOutbox, rest, type Context } from './context.js';
import { handler } from './handlers.js';

/** Drains its consumer again and again, as a cron job would. */
export async function run(context: Context): Promise<void> {
  const outbox = await openOutbox(context);
  if (outbox === undefined) return;
  const { task, stop, tell, history } = context;
  const random = seededRandom(task.seed);
  outbox.on('consumer:stop', ({ consumer, epoch }) => history.write({ kind: 'handed over', consumer, epoch }));
  tell({ kind: 'ready' });
  const handle = handler(context, random);
  while (!stop.aborted) {
    try {
      await outbox.drain('drained', handle, { ...CONSUMERS.drained.options, deadlineMs: 5_000, ifHeld: 'wait' });
    } catch (error) {
      if (!isPassing(error)) tell({ kind: 'violation', text: `a drain ended: ${String(error)}` });
      else tell({ kind: 'note', text: `drain: ${String(error)}` });
    }
    await rest(300 * random(), stop);
  }
  await outbox.close();
}
