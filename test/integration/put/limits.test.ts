import { describe, expect, it } from 'vitest';

import { collect, createOutbox } from '../../support/create-outbox.js';
import { order } from '../../support/orders.js';

const MiB = 1024 * 1024;

/** What is in the log beside the note, with room to spare; see src/schema/pending-message.ts. */
const overhead = 400;

describe('the largest message', () => {
  it('is an eighth of the log', async () => {
    const { outbox, connection } = await createOutbox({ options: { sizeBytes: MiB } });
    await outbox.init();
    const note = 'x'.repeat(MiB / 8 - overhead);
    await connection.transaction(async (session) => {
      await outbox.put(order(1, note), session);
      await expect(outbox.put(order(2, 'x'.repeat(MiB / 8)), session)).rejects.toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
        retryable: false,
      });
      await expect(outbox.put([order(3), order(4, 'x'.repeat(MiB / 8))], session)).rejects.toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
      });
      await outbox.put(order(5, note), session);
    });
    const messages = await collect(outbox.messages(), 2);
    expect(messages.map(({ data }) => [data.ordernr, (data as { note: string }).note.length])).toEqual([
      [1, note.length],
      [5, note.length],
    ]);
  });

  it('is 64 KiB less than a document of MongoDB where the log is large, alone and beside others', async () => {
    const { outbox, connection } = await createOutbox();
    await outbox.init();
    const most = 16 * MiB - 64 * 1024;
    const note = 'x'.repeat(most - overhead);
    await expect(outbox.put(order(1, 'x'.repeat(most)), null)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    await connection.transaction(async (session) => {
      await outbox.put([order(2), order(3, note), order(4)], session);
    });
    const messages = await collect(outbox.messages(), 3);
    expect(messages.map(({ data }) => [data.ordernr, ((data as { note?: string }).note ?? '').length])).toEqual([
      [2, 0],
      [3, note.length],
      [4, 0],
    ]);
  });

  it('follows the cap that an existing log has, not the option', async () => {
    const small = await createOutbox({ options: { sizeBytes: MiB } });
    await small.outbox.init();
    const larger = await createOutbox({ database: small.database, options: { sizeBytes: 256 * MiB } });
    await larger.outbox.init();
    expect((await larger.outbox.status()).log.sizeBytes).toBe(MiB);
    await expect(larger.outbox.put(order(1, 'x'.repeat(MiB / 8)), null)).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });

    const large = await createOutbox({ options: { sizeBytes: 16 * MiB } });
    await large.outbox.init();
    const smaller = await createOutbox({ database: large.database, options: { sizeBytes: MiB } });
    await smaller.outbox.put(order(2, 'x'.repeat(MiB)), null);
    expect(await collect(smaller.outbox.messages(), 1)).toMatchObject([{ data: { ordernr: 2 } }]);
  });
});
