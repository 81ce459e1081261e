import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { open } from './setup.js';

export interface EndToEnd {
  messages: number;
  putPerSecond: number;
  deliveredPerSecond: number;
  /** Deliveries per second in each fifth of the run, to see whether it falls over. */
  fifths: number[];
}

/**
 * A process of its own puts `messages`, 100 a transaction, from 4 concurrent writers; this process is the sequencer and
 * tails from the beginning. Measured from the first put to the last delivery.
 */
export async function endToEnd(uri: string, messages: number): Promise<EndToEnd> {
  const database = `end_to_end_${Date.now()}`;
  const { outbox, connection, close } = await open(uri, database);
  const writer = fork(fileURLToPath(new URL('writer.ts', import.meta.url)), [uri, database, String(messages)], {
    execArgv: ['--import', 'tsx'],
  });
  const report = await new Promise<{ ready: true }>((resolve) => writer.once('message', resolve as () => void));
  if (!report.ready) throw new Error('the writer did not start');
  const put = new Promise<{ seconds: number }>((resolve) => writer.once('message', resolve as () => void));
  const times: number[] = [];
  const started = performance.now();
  writer.send('go');
  for await (const { position } of outbox.messages('beginning')) {
    if (position % (messages / 5) === 0) times.push(performance.now());
    if (position === messages) break;
  }
  const seconds = (performance.now() - started) / 1_000;
  const { seconds: putSeconds } = await put;
  await outbox.close();
  await connection.dropDatabase();
  await close();
  const fifths = times.map((time, index) =>
    Math.round((messages / 5 / (time - (times[index - 1] ?? started))) * 1_000),
  );
  return {
    messages,
    putPerSecond: Math.round(messages / putSeconds),
    deliveredPerSecond: Math.round(messages / seconds),
    fifths,
  };
}
