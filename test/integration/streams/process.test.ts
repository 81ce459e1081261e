import { describe, expect, it } from 'vitest';

import { startChild } from '../../support/child-outbox.js';
import { createOutbox, waitFor } from '../../support/create-outbox.js';

describe('a process ends by itself', () => {
  it('after the outbox and the connection were closed, though it had read and led', async () => {
    const { database } = await createOutbox();
    const child = await startChild({ database });
    await child.order({ do: 'read' });
    await child.order({ do: 'put', ordernrs: [1, 2] });
    await waitFor(() => child.read.length === 2);
    await child.order({ do: 'close' });
    await child.order({ do: 'disconnect' });
    await child.order({ do: 'letGo' });
    // At once, on an idle machine.
    expect(await child.ends(3_000)).toBe(0);
    expect(child.has('read:end')).toBe(true);
    expect(child.payloads('error')).toEqual([]);
  });

  it.each([
    { what: 'leader and reader', leads: true },
    { what: 'standby and reader', leads: false },
  ])('after the connection was closed under an open outbox: $what', async ({ leads }) => {
    const { outbox, database } = await createOutbox();
    if (!leads) {
      await outbox.start();
      await waitFor(async () => (await outbox.status()).sequencer.owner);
    }
    const child = await startChild({ database });
    await child.order({ do: 'read' });
    await child.order({ do: 'put', ordernrs: [1] });
    await waitFor(() => child.read.length === 1);
    expect(child.has('sequencer:elected')).toBe(leads);
    await child.order({ do: 'disconnect' });
    await waitFor(() => child.has('read:error'));
    expect(child.payloads('read:error')).toMatchObject([
      { message: expect.stringContaining('closed the mongoose connection') as string },
    ]);
    await child.order({ do: 'letGo' });
    expect(await child.ends(6_000)).toBe(0);
  });

  it('when it only put something and disconnects, without closing the outbox', async () => {
    const { database } = await createOutbox();
    const child = await startChild({ database });
    await child.order({ do: 'put', ordernrs: [1] });
    await child.order({ do: 'disconnect' });
    await child.order({ do: 'letGo' });
    expect(await child.ends(3_000)).toBe(0);
  });
});
