import mongoose from 'mongoose';
import { startReplicaSet } from '../dev/replica-set.js';
import { resolveMongod } from '../dev/mongod.js';
import { ServiceOutbox } from '../src/index.js';
const mongod = await resolveMongod();
const set = await startReplicaSet({ mongod: mongod as never });
const connection = await mongoose.createConnection(set.uri, { dbName: 'x' }).asPromise();
const outbox = new ServiceOutbox<{ type: 'a'; data: { n: number } }>(
  'O',
  { a: { data: { n: { type: Number, required: true } } } },
  { connection },
);
outbox.on('error', (e) => console.log('error', e));
for (const ev of [
  'consumer:start',
  'consumer:progress',
  'consumer:park',
  'consumer:retry',
  'consumer:dead',
  'consumer:outage',
  'consumer:stop',
  'consumer:lost',
] as const)
  outbox.on(ev, (e) => console.log(ev, JSON.stringify({ ...e, error: String((e as any).error) })));
await outbox.init();
for (let n = 0; n < 20; n += 1) await outbox.put({ type: 'a', data: { n }, key: `k${n % 3}` }, null);
const seen: number[] = [];
const c = outbox.consume(
  'c',
  async (m, ctx) => {
    if (m.data.n === 4 && ctx.attempt < 3) throw new Error('no');
    seen.push(m.data.n);
  },
  { retry: { initialDelayMs: 50 } },
);
setTimeout(() => {}, 1);
while (seen.length < 20) await new Promise((r) => setTimeout(r, 20));
console.log(seen.join(' '));
await new Promise((r) => setTimeout(r, 300));
console.log(await outbox.consumers.list(), await outbox.failures.list());
await c.close();
const published: number[] = [];
const r = outbox.relay('r', {
  publish: async (ms) => {
    published.push(...ms.map((m) => m.position));
  },
});
while (published.length < 20) await new Promise((r) => setTimeout(r, 20));
await r.close();
console.log(await outbox.drain('d', async () => {}));
await outbox.put({ type: 'a', data: { n: 99 } }, null);
console.log(await outbox.drain('d', async () => {}));
console.log(await outbox.status());
await outbox.close();
await connection.close();
await set.stop();
