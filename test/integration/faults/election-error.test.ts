import type { ServerDescriptionChangedEvent } from 'mongodb';
import { expect, it } from 'vitest';

import { createOutbox, waitFor } from '../../support/create-outbox.js';
import { ownServer } from '../../support/own-server.js';

const server = ownServer();

it("a server's answer that it is primary no longer leaves the driver a topology version that it can use", async () => {
  const { outbox, connection } = await createOutbox({
    uri: server.uri,
    // Nothing else tells the driver of the step-down before a command does.
    connect: { serverMonitoringMode: 'poll', heartbeatFrequencyMS: 60_000 },
  });
  await outbox.init();
  const counters: unknown[] = [];
  connection.getClient().on('serverDescriptionChanged', ({ newDescription }: ServerDescriptionChangedEvent) => {
    const version = newDescription.topologyVersion as { counter: unknown } | null;
    if (version !== null && newDescription.error !== null) counters.push(version.counter);
  });
  await server.client.db('admin').command({ replSetStepDown: 1, force: true });
  await waitFor(() => outbox.status());
  expect(counters).not.toEqual([]);
  // With a bigint the driver's monitor throws outside any promise, and the process ends.
  for (const counter of counters) expect(counter).toMatchObject({ _bsontype: 'Long' });
});
