/**
 * What runs in a child process: messages that are applied by an inbox, one transaction each, with two effects. Says when
 * it is where. See inbox/kill.test.ts.
 */
import mongoose from 'mongoose';

import { Inbox } from '../../src/index.js';
import type { InboxChildReport, InboxChildSetup } from './inbox-child.js';

const { uri, database, messages, standAt } = JSON.parse(process.argv[2] ?? '') as InboxChildSetup;
let reports = 0;

async function report(at: InboxChildReport): Promise<void> {
  process.send?.(at);
  reports += 1;
  if (reports === standAt) await new Promise(() => undefined);
}

const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
const inbox = new Inbox('Inbox', { connection });
const effects = connection.collection('effects');
await inbox.init();
for (let message = 0; message < messages; message += 1) {
  const id = `m${message}`;
  await connection.transaction((session) =>
    inbox.once(id, session, async () => {
      await report('begun');
      await effects.insertOne({ id, part: 1 }, { session });
      await report('half');
      await effects.insertOne({ id, part: 2 }, { session });
      await report('whole');
    }),
  );
  await report('committed');
}
await connection.close();
process.disconnect();
