import { EventEmitter } from 'node:events';

import { describe, expect, it } from 'vitest';

import { primaryTerm } from '../../../src/store/primary-term.js';
import type { Store } from '../../../src/store/store.js';

type Server = {
  address: string;
  type: string;
  electionId?: string;
  topologyVersion?: { processId: string; counter: number };
};
const a: Server = {
  address: 'a:1',
  type: 'RSPrimary',
  electionId: '1',
  topologyVersion: { processId: 'first', counter: 1 },
};
const b: Server = { ...a, address: 'b:1', type: 'RSSecondary' };
const unknown: Server = { address: 'a:1', type: 'Unknown' };

const topology = (servers: Server[]) => ({ servers: new Map(servers.map((server) => [server.address, server])) });

function isOverAfter(before: Server[], after: Server[]): boolean {
  const client = new EventEmitter();
  const { over, close } = primaryTerm({ client } as unknown as Store);
  expect(over.aborted).toBe(false);
  client.emit('topologyDescriptionChanged', { previousDescription: topology(before), newDescription: topology(after) });
  close();
  expect(client.listenerCount('topologyDescriptionChanged')).toBe(0);
  return over.aborted;
}

describe('a term is over', () => {
  it.each([
    { when: 'the primary is out of sight', before: [a, b], after: [unknown, b] },
    { when: 'a primary is found', before: [unknown], after: [a] },
    {
      when: 'another server is the primary',
      before: [a, b],
      after: [
        { ...a, type: 'RSSecondary' },
        { ...b, type: 'RSPrimary' },
      ],
    },
    { when: 'the same was elected again', before: [a], after: [{ ...a, electionId: '2' }] },
    {
      when: 'the same answers with another process, and was never seen to be away',
      before: [a],
      after: [{ ...a, topologyVersion: { processId: 'second', counter: 1 } }],
    },
  ])('when $when', ({ before, after }) => {
    expect(isOverAfter(before, after)).toBe(true);
  });
});

describe('a term goes on', () => {
  it.each([
    { when: 'a secondary goes', before: [a, b], after: [a, { ...b, type: 'Unknown' }] },
    {
      when: 'the same process tells news',
      before: [a],
      after: [{ ...a, topologyVersion: { processId: 'first', counter: 2 } }],
    },
    { when: 'there still is no primary', before: [unknown, b], after: [unknown] },
  ])('when $when', ({ before, after }) => {
    expect(isOverAfter(before, after)).toBe(false);
  });
});

it('a term that was closed is over for nobody', () => {
  const client = new EventEmitter();
  const { over, close } = primaryTerm({ client } as unknown as Store);
  close();
  client.emit('topologyDescriptionChanged', {
    previousDescription: topology([a]),
    newDescription: topology([unknown]),
  });
  expect(over.aborted).toBe(false);
});
