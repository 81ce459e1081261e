import { message, open, quantile } from './setup.js';

const samples = 500;
/** Pause between two messages, so that each finds the outbox idle. */
const pauseMs = 10;

/** Milliseconds from the acknowledged commit of a single message to its delivery by a tail, on an idle outbox. */
export async function idleLatency(uri: string): Promise<{ p50Ms: number; p99Ms: number }> {
  const { outbox, connection, close } = await open(uri, `latency_${Date.now()}`);
  const messages = outbox.messages('end')[Symbol.asyncIterator]();
  const latencies: number[] = [];
  const warmUp = 50;
  let next = messages.next();
  for (let index = 0; index < samples + warmUp; index += 1) {
    await connection.transaction(async (session) => void (await outbox.put(message(index), session)), {
      writeConcern: { w: 'majority' },
    });
    const committed = performance.now();
    await next;
    if (index >= warmUp) latencies.push(performance.now() - committed);
    next = messages.next();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await messages.return?.();
  await outbox.close();
  await connection.dropDatabase();
  await close();
  return { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}
