import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { describe, expect, it, onTestFinished } from 'vitest';

import { eventBridgePublisher, type EventBridgeOptions } from '../../../src/aws.js';
import { PermanentError, Unavailable, type OutboxMessage } from '../../../src/index.js';
import { publisherCases } from '../../../src/testing.js';
import { delivered } from '../../support/delivered.js';
import { checkReceived, relayAll, testMessages } from '../../support/relay-all.js';
import { EventBridgeStub } from './event-bridge-stub.js';

const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
const message = (n: number, changes: Parameters<typeof delivered>[0] = {}) =>
  delivered({ id: `id-${n}`, position: n, ...changes });

const clientOf = ({ port }: EventBridgeStub) =>
  new EventBridgeClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });

describe('EventBridge', () => {
  const cases = publisherCases(
    async () => {
      const stub = await EventBridgeStub.start();
      stub.refuse = ({ Detail }) => (Detail.includes('"refuse":true') ? 'MalformedDetail' : undefined);
      const client = clientOf(stub);
      return {
        publisher: eventBridgePublisher(client, { source: 'com.example.orders' }),
        received: async () => stub.received,
        refused: { data: { refuse: true } },
        down: () => stub.down(),
        up: () => stub.up(),
        close: async () => {
          client.destroy();
          await stub.down();
        },
      };
    },
    { ordered: false },
  );
  for (const { name, run } of cases) it(name, run);
});

async function open(options: Partial<EventBridgeOptions<OutboxMessage>> = {}) {
  const stub = await EventBridgeStub.start();
  const client = clientOf(stub);
  onTestFinished(async () => {
    client.destroy();
    await stub.down();
  });
  const publisher = eventBridgePublisher<OutboxMessage>(client, { source: 'com.example.orders', ...options });
  const publish = async (...messages: Parameters<typeof publisher.publish>[0]) =>
    (await publisher.publish(messages, context)) ?? { failed: [] };
  return { stub, publisher, publish };
}

describe('an entry', () => {
  it('has the message in its detail', async () => {
    const { stub, publish } = await open();
    await publish(message(1, { key: 'k', headers: { tenant: 'ä' } }));
    const [{ Detail, ...entry }] = stub.taken as [EventBridgeStub['taken'][number]];
    // Some versions of the client send whole seconds.
    const Time = expect.closeTo(1_767_323_045.678, 0);
    expect(entry).toEqual({ Source: 'com.example.orders', DetailType: 'order_created', Time });
    expect(JSON.parse(Detail)).toEqual({
      ...{ id: 'id-1', type: 'order_created', position: 1, created: '2026-01-02T03:04:05.678Z' },
      ...{ key: 'k', headers: { tenant: 'ä' }, data: { ordernr: 7 } },
    });
  });

  it('is made by options', async () => {
    const { stub, publish } = await open({
      source: ({ type }) => `com.example.${type}`,
      eventBusName: 'orders',
      detailType: 'Order',
      detail: ({ data, id }) => ({ id, order: data }),
    });
    await publish(message(1));
    expect(stub.taken[0]).toMatchObject({
      ...{ Source: 'com.example.order_created', EventBusName: 'orders', DetailType: 'Order' },
      Detail: '{"id":"id-1","order":{"ordernr":7}}',
    });
  });

  it('is a failure for good when option detail gives no object', async () => {
    const { publish } = await open({ detail: () => [] });
    expect((await publish(message(1))).failed[0]?.error).toBeInstanceOf(PermanentError);
  });

  // 14 bytes for its time, and source, detail type and detail in UTF-8.
  it.each([
    [262_144 - 14 - 18 - 13 - 8, true],
    [262_144 - 14 - 18 - 13 - 8 + 1, false],
  ])('of %i letters beside what is counted with them: taken %j', async (letters, isTaken) => {
    const { stub, publish } = await open({ detail: ({ data }) => data });
    const { failed } = await publish(message(1, { data: { a: 'x'.repeat(letters) } }));
    expect(failed.map(({ error }) => error instanceof PermanentError)).toEqual(isTaken ? [] : [true]);
    expect(stub.requests.length).toBe(isTaken ? 1 : 0);
  });
});

describe('a request', () => {
  it('has at most ten entries and 256 KiB', async () => {
    const { stub, publish } = await open({ concurrency: 1 });
    const small = Array.from({ length: 12 }, (_, n) => message(n + 1));
    const large = Array.from({ length: 4 }, (_, n) => message(n + 13, { data: { text: '€'.repeat(30_000) } }));
    expect(await publish(...small, ...large)).toEqual({ failed: [] });
    expect(stub.requests.map(({ length }) => length)).toEqual([10, 4, 2]);
  });

  it.each(['ThrottlingException', 'InternalFailure', 'InternalException'])(
    'whose entries fail with %s in part is an outage for those',
    async (code) => {
      const { stub, publish } = await open();
      stub.refuse = ({ Detail }) => (Detail.includes('id-2"') ? code : undefined);
      const { failed } = await publish(message(1), message(2), message(3));
      expect(failed.map(({ position, error }) => [position, error instanceof Unavailable])).toEqual([[2, true]]);
      expect(stub.received.map(({ id }) => id)).toEqual(['id-1', 'id-3']);
    },
  );

  it.each<[number, string, RegExp]>([
    [400, 'ThrottlingException', /it is tried again/],
    [500, 'InternalException', /it is tried again/],
    [400, 'AccessDeniedException', /allow events:PutEvents/],
    [400, 'ExpiredTokenException', /look at the credentials/],
    [400, 'ResourceNotFoundException', /create it, or mend the option/],
  ])('that fails with %i %s is an outage', async (status, type, advice) => {
    const { stub, publish } = await open();
    stub.fail = () => [status, type];
    const error = (await publish(message(1)).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toMatch(type);
    expect(error.message).toMatch(advice);
  });

  it('is made again, with what was not taken, until all is', async () => {
    const { stub, publisher } = await open();
    const messages = testMessages(300, 20);
    let calls = 0;
    stub.refuse = () => ((calls += 1) % 7 === 0 ? 'ThrottlingException' : undefined);
    const { dead } = await relayAll(publisher, messages);
    expect([...dead]).toEqual([]);
    expect(checkReceived(stub.received, messages)).toBe(0);
  });
});
