// The writing process of bench/end-to-end.ts: URI, database, number of messages.
import { message, open } from './setup.js';

const perTransaction = 100;
const writers = 4;

const [uri = '', database = '', count = '0'] = process.argv.slice(2);
const { outbox, connection, close } = await open(uri, database, { sequencer: false });
process.send?.({ ready: true });
await new Promise((resolve) => process.once('message', resolve));

const started = performance.now();
let next = 0;
await Promise.all(
  Array.from({ length: writers }, async () => {
    while (next < Number(count)) {
      const first = next;
      next += perTransaction;
      const batch = Array.from({ length: perTransaction }, (_, index) => message(first + index));
      await connection.transaction(async (session) => void (await outbox.put(batch, session)));
    }
  }),
);
process.send?.({ seconds: (performance.now() - started) / 1_000 });
await close();
process.disconnect();
