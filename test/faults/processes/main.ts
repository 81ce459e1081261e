/** A process of a fault run. It does what its task says until it is told to stop, and tells what must not happen. */
import { join } from 'node:path';

import { HistoryWriter } from '../history/history-writer.js';
import type { Context } from './context.js';
import { connect } from './connect.js';
import { setClockWrongBy } from './wall-clock.js';
import type { Order, Report, Role, Task } from './task.js';

const roles: Record<Role, () => Promise<{ run(context: Context): Promise<void> }>> = {
  writer: () => import('./writer.js'),
  reader: () => import('./reader.js'),
  worker: () => import('./worker.js'),
  drainer: () => import('./drainer.js'),
  admin: () => import('./admin.js'),
  destination: () => import('./destination.js'),
};

const task = JSON.parse(process.argv[2] ?? '') as Task;
const tell = (report: Report): void => void process.send?.(report);
const stopping = new AbortController();
const orders = new EventTarget();

if (task.clockMs !== 0) setClockWrongBy(task.clockMs);
const orphaned = () => process.exit(1);
process.on('disconnect', orphaned);
process.on('message', (order: Order) => {
  if (order.kind === 'stop') stopping.abort();
  else if (order.kind === 'clock') setClockWrongBy(order.ms);
  else orders.dispatchEvent(Object.assign(new Event('mood'), order));
});

const history = new HistoryWriter(join(task.folder, `${task.process}.jsonl`));
const { run } = await roles[task.role]();
const connection = await connect(task, stopping.signal);
try {
  await run({ task, history, tell, connection, orders, stop: stopping.signal });
} finally {
  await connection.close();
  history.close();
}
process.off('disconnect', orphaned);
process.disconnect();
