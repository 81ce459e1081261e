/**
 * What becomes of messages that fail: retried, set aside for good, looked at, and sent on their way again.
 *
 *     MONGO_URI='mongodb://localhost:27017/shop?replicaSet=rs0' npx tsx examples/consumers/retries.ts
 */
import mongoose from 'mongoose';
import { PermanentError, RetryAfter, ServiceOutbox } from 'service-outbox';

type Message = { type: 'invoice_due'; data: { invoice: string; address: string } };

const outbox = new ServiceOutbox<Message>('RetriesExample', {
  invoice_due: { data: { invoice: { type: String, required: true }, address: { type: String, required: true } } },
});

await mongoose.connect(process.env['MONGO_URI'] ?? 'mongodb://localhost:27017/shop?replicaSet=rs0');
await outbox.init();

let printerHasPaper = false;
const consumer = outbox.consume(
  'printer',
  ({ data: { invoice, address } }, { attempt }) => {
    console.log(`${invoice}: attempt ${attempt}`);
    // It will never work: no further attempts.
    if (address === 'unknown') throw new PermanentError('the address is unknown');
    // It says itself when to come again.
    if (address === 'busy' && attempt === 1) throw new RetryAfter(300, 'the printer is busy');
    // Whatever else is thrown is tried again, after growing delays, up to maxAttempts.
    if (address === 'large' && !printerHasPaper) throw new Error('no paper of that size');
    console.log(`${invoice}: printed`);
  },
  { retry: { maxAttempts: 3, initialDelayMs: 100, jitter: 0 } },
);
outbox.on('consumer:park', ({ attempt, error }) => console.log(`set aside after attempt ${attempt}: ${textOf(error)}`));
outbox.on('consumer:dead', ({ attempt, error }) => console.log(`dead after attempt ${attempt}: ${textOf(error)}`));

await outbox.put(
  [
    { type: 'invoice_due', data: { invoice: 'A', address: 'busy' } },
    { type: 'invoice_due', data: { invoice: 'B', address: 'unknown' } },
    { type: 'invoice_due', data: { invoice: 'C', address: 'large' } },
    { type: 'invoice_due', data: { invoice: 'D', address: 'Rome' } },
  ],
  null,
);
await settled();

for (const { position, attempts, lastError, message } of await outbox.failures.list({
  consumer: 'printer',
  state: 'dead',
}))
  console.log(`dead letter at ${position}: ${message.data.invoice}, ${attempts} attempts, ${lastError?.message}`);

// Mended what was wrong: try these again, from attempt 1 on. And give up what can't be mended.
printerHasPaper = true;
const dead = await outbox.failures.list({ consumer: 'printer', state: 'dead' });
const positionsOf = (address: string) =>
  dead.filter(({ message }) => message.data.address === address).flatMap(({ position }) => position ?? []);
console.log('retried:', await outbox.failures.retry({ consumer: 'printer', positions: positionsOf('large') }));
console.log('discarded:', await outbox.failures.discard({ consumer: 'printer', positions: positionsOf('unknown') }));
await settled();

await consumer.close();
console.log('failures left:', (await outbox.failures.list({ consumer: 'printer' })).length);
await outbox.close();
await mongoose.disconnect();

/** Resolves when nothing is left in the log, and nothing waits for another attempt. */
async function settled(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { pending, consumers } = await outbox.status();
    const printer = consumers.find(({ name }) => name === 'printer');
    if (pending.count === 0 && printer?.lag === 0 && printer.retrying === 0) return;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
