import mongoose from 'mongoose';
import { startReplicaSet } from '../dev/replica-set.js';
import { resolveMongod } from '../dev/mongod.js';
import { ServiceOutbox } from '../src/index.js';
const mongod = await resolveMongod();
const set = await startReplicaSet({ mongod: mongod as never });
const connection = await mongoose.createConnection(set.uri, { dbName: 'x' }).asPromise();
type M = { type: 'a'; data: { n: number; text: string } };
const outbox = new ServiceOutbox<M>(
  'O',
  { a: { data: { n: { type: Number, required: true }, text: { type: String, required: true } } } },
  { connection },
);
outbox.on('error', (e) => console.log('error', e));
await outbox.init();
await outbox.start();
const N = Number(process.argv[2] ?? 50_000);
const text = 'x'.repeat(150);
let t = performance.now();
for (let n = 0; n < N; n += 500)
  await outbox.put(
    Array.from({ length: 500 }, (_, i) => ({
      type: 'a' as const,
      data: { n: n + i, text },
      key: `k${(n + i) % 1000}`,
    })),
    null,
  );
while ((await outbox.status()).log.last < N) await new Promise((r) => setTimeout(r, 50));
console.log('put+sequence', Math.round(N / ((performance.now() - t) / 1000)));
const log = connection.db!.collection('O');
t = performance.now();
for (let p = 0; p < N;) {
  const page = await log
    .find({ _id: { $gt: p as never } }, { sort: { _id: 1 }, limit: 2000, batchSize: 2000 })
    .toArray();
  p = page.at(-1)!._id as never;
}
console.log('driver pages', Math.round(N / ((performance.now() - t) / 1000)));
async function run(name: string, start: (done: () => void) => { close(): Promise<void> }) {
  const t0 = performance.now();
  await new Promise<void>((resolve) => {
    const c = start(() => void c.close().then(resolve));
  });
  console.log(name, Math.round(N / ((performance.now() - t0) / 1000)));
}
for (const batchSize of [100, 500, 1000]) {
  let n = 0;
  await run(`relay ${batchSize}`, (done) =>
    outbox.relay(
      `r${batchSize}`,
      {
        publish: async (ms) => {
          n += ms.length;
          if (n === N) done();
        },
      },
      { batchSize },
    ),
  );
}
for (const [concurrency, batchSize, ms] of [
  [16, 100, 0],
  [16, 1000, 0],
  [16, 100, 1],
  [16, 500, 1],
  [1, 100, 0],
] as const) {
  let n = 0;
  await run(`consume c${concurrency} b${batchSize} ${ms}ms`, (done) =>
    outbox.consume(
      `c${concurrency}-${batchSize}-${ms}`,
      async () => {
        if (ms) await new Promise((r) => setTimeout(r, ms));
        n += 1;
        if (n === N) done();
      },
      { batchSize, concurrency },
    ),
  );
}
if (process.argv[3]) {
  let n = 0;
  const M2 = 2000;
  const t0 = performance.now();
  await new Promise<void>((resolve) => {
    const c = outbox.consume(
      't',
      async () => {
        n += 1;
        if (n === M2) void c.close().then(resolve);
      },
      { transactional: true },
    );
  });
  console.log('transactional', Math.round(M2 / ((performance.now() - t0) / 1000)));
}
await outbox.close();
await connection.close();
await set.stop();
