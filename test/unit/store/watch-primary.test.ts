import { EventEmitter } from 'node:events';

import { describe, expect, it, vi } from 'vitest';

import type { Store } from '../../../src/store/store.js';
import { watchPrimary } from '../../../src/store/watch-primary.js';

type Server = { address: string; type: string; electionId?: string };
const a: Server = { address: 'a:1', type: 'RSPrimary', electionId: '1' };
const b: Server = { address: 'b:1', type: 'RSPrimary', electionId: '2' };
const secondary = (server: Server): Server => ({ address: server.address, type: 'RSSecondary' });
const unknown = (server: Server): Server => ({ address: server.address, type: 'Unknown' });

/** The changes of the topology through these states, as the driver tells them. */
function changesThrough(...states: Server[][]): number {
  const client = new EventEmitter();
  const onChange = vi.fn();
  const stop = watchPrimary({ client } as unknown as Store, onChange);
  const topology = (servers: Server[]) => ({ servers: new Map(servers.map((server) => [server.address, server])) });
  states.slice(1).forEach((state, index) =>
    client.emit('topologyDescriptionChanged', {
      previousDescription: topology(states[index]!),
      newDescription: topology(state),
    }),
  );
  stop();
  expect(client.listenerCount('topologyDescriptionChanged')).toBe(0);
  return onChange.mock.calls.length;
}

describe('another primary is noticed', () => {
  it.each([
    {
      how: 'it takes over directly',
      states: [
        [a, secondary(b)],
        [secondary(a), b],
      ],
    },
    {
      how: 'after an election, in which there is none for a while',
      states: [
        [a, secondary(b)],
        [secondary(a), secondary(b)],
        [secondary(a), b],
      ],
    },
    {
      how: 'after the old one was lost',
      states: [
        [a, secondary(b)],
        [unknown(a), secondary(b)],
        [unknown(a), b],
      ],
    },
    { how: 'the same server after another election', states: [[a], [unknown(a)], [{ ...a, electionId: '3' }]] },
  ])('$how', ({ states }) => {
    expect(changesThrough(...states)).toBe(1);
  });

  it('each time', () => {
    expect(changesThrough([a, secondary(b)], [secondary(a), b], [{ ...a, electionId: '3' }, secondary(b)])).toBe(2);
  });
});

describe('nothing is reported', () => {
  it.each([
    {
      when: 'a secondary comes or goes',
      states: [
        [a, secondary(b)],
        [a, unknown(b)],
        [a, secondary(b)],
      ],
    },
    { when: 'the primary is out of sight for a moment', states: [[a], [unknown(a)], [a]] },
    { when: 'the first primary is found', states: [[unknown(a)], [a]] },
    { when: 'there is none', states: [[unknown(a)], [secondary(a)]] },
  ])('when $when', ({ states }) => {
    expect(changesThrough(...states)).toBe(0);
  });
});
