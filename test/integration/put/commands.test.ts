import { describe, expect, it } from 'vitest';

import { recordCommands } from '../../support/commands.js';
import { collect, createOutbox, type TestMessage } from '../../support/create-outbox.js';
import { numbersOf, order, orders, range } from '../../support/orders.js';

const monitored = { connect: { monitorCommands: true, w: 1, retryWrites: true } } as const;

describe('what put sends', () => {
  it.each([1, 50, 1_000])('is one insert for %i messages, once init is done, and nothing else', async (count) => {
    const { outbox, connection } = await createOutbox(monitored);
    await outbox.init();
    const sent = recordCommands(connection);
    await connection.transaction(async (session) => {
      await (count === 1 ? outbox.put(order(1), session) : outbox.put(orders(1, count), session));
    });
    expect(sent.map(({ name, collection }) => `${name} ${collection}`)).toEqual([
      'insert Outbox.pending',
      'commitTransaction undefined',
    ]);
    const [insert] = sent;
    expect(insert?.command).toMatchObject({ ordered: true, startTransaction: true, autocommit: false });
    expect(insert?.command['documents']).toHaveLength(count);
    expect(insert?.command).not.toHaveProperty('writeConcern');
    expect(numbersOf(await collect(outbox.messages(), count))).toEqual(range(1, count));
  });

  it('outside a transaction, is one insert at w: majority', async () => {
    const { outbox, connection } = await createOutbox(monitored);
    await outbox.init();
    const sent = recordCommands(connection);
    await outbox.put(order(1), null);
    await outbox.put(orders(2, 3), null);
    expect(sent.map(({ name, collection }) => `${name} ${collection}`)).toEqual([
      'insert Outbox.pending',
      'insert Outbox.pending',
    ]);
    for (const { command } of sent) {
      expect(command['writeConcern']).toMatchObject({ w: 'majority' });
      expect(command).not.toHaveProperty('autocommit');
    }
  });

  it('is nothing for a message that is refused', async () => {
    const { outbox, connection } = await createOutbox(monitored);
    await outbox.init();
    const sent = recordCommands(connection);
    const bad = { type: 'order_created', data: {} } as unknown as TestMessage;
    await connection.transaction(async (session) => {
      await expect(outbox.put(bad, session)).rejects.toThrow('data.ordernr');
      await expect(outbox.put([...orders(1, 50), bad], session)).rejects.toThrow('data.ordernr');
    });
    await expect(outbox.put([...orders(1, 50), bad], null)).rejects.toThrow('data.ordernr');
    await expect(outbox.put(order(1))).rejects.toThrow('without a session');
    expect(sent).toEqual([]);
  });

  it('is nothing more after it: nobody is elected, and what was put stays pending', async () => {
    const { outbox, connection } = await createOutbox(monitored);
    await outbox.init();
    await outbox.put(orders(1, 3), null);
    void outbox.model;
    const sent = recordCommands(connection);
    const status = await outbox.status();
    expect(status.sequencer.owner).toBeNull();
    expect(status.pending.count).toBe(3);
    expect(status.log).toMatchObject({ first: 0, last: 0, entries: 0 });
    const reading = ['find', 'aggregate', 'collStats', 'count'];
    expect([...new Set(sent.map(({ name }) => name))].filter((name) => !reading.includes(name))).toEqual([]);
  });

  it('keeps the connection usable for the service: its own commands are its own', async () => {
    const { outbox, connection } = await createOutbox(monitored);
    await outbox.init();
    const sent = recordCommands(connection);
    await connection.transaction(async (session) => {
      await connection.collection('orders').insertOne({ ordernr: 1 }, { session: session });
      await outbox.put(order(1), session);
      await connection.collection('orders').insertOne({ ordernr: 2 }, { session: session });
    });
    expect(sent.map(({ name, collection }) => `${name} ${collection}`)).toEqual([
      'insert orders',
      'insert Outbox.pending',
      'insert orders',
      'commitTransaction undefined',
    ]);
    expect(new Set(sent.map(({ command }) => String(command['txnNumber']))).size).toBe(1);
  });
});
