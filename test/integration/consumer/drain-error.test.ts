import { onTestFinished, expect, it } from 'vitest';

import { createOutbox } from '../../support/create-outbox.js';
import { failCommand } from '../../support/fail-point.js';
import { order } from '../../support/orders.js';
import { ownServer } from '../../support/own-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const server = ownServer();

it('a drain that can not move what is pending, before it has read anything, ends no process', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const proxy = await TcpProxy.start(server.uri);
  const { outbox, connection } = await createOutbox({ uri: proxy.uri, connect: { appName: 'draining' } });
  await outbox.put(order(1), null);
  // Somebody else is the sequencer, and does nothing: the drain looks again and again whether it has moved the message.
  await connection
    .collection('Outbox.state')
    .updateOne(
      { _id: 'sequencer' as never },
      { $set: { owner: 'somebody', epoch: 1, expiresAt: new Date(Date.now() + 60_000) } },
      { upsert: true },
    );
  const held = proxy.hold('find', 'Outbox.failures');
  const drained = outbox.drain('c', () => undefined);
  const release = await held;
  const unauthorized = { failCommands: ['find'], appName: 'draining', errorCode: 13 };
  const { met, off } = await failCommand(server.client, unauthorized);
  await met();
  await off();
  release();
  expect(await drained).toMatchObject({ handled: 0, remaining: 1 });
  expect(unhandled).toEqual([]);
});
