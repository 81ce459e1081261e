import { expect, it } from 'vitest';
import { collect, createOutbox } from '../../support/create-outbox.js';
it('smoke', async () => {
  const { outbox, connection } = await createOutbox();
  await outbox.init();
  await connection.transaction(async (session) => {
    await outbox.put({ type: 'order_created', data: { ordernr: 1 } }, session);
  });
  const [m] = await collect(outbox.messages(), 1);
  expect(m).toMatchObject({ position: 1, data: { ordernr: 1 } });
});
