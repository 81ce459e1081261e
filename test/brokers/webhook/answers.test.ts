import { createServer } from 'node:net';
import { once } from 'node:events';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished } from 'vitest';

import { freePorts } from '../../../dev/free-ports.js';
import { fromHttp } from '../../../src/cloudevents.js';
import { PermanentError, Unavailable, type OutboxMessage, type PublishResult } from '../../../src/index.js';
import { webhookPublisher, type WebhookOptions } from '../../../src/webhook.js';
import { waitFor } from '../../support/create-outbox.js';
import { delivered } from '../../support/delivered.js';
import { startDestination, status, type Destination } from './destination.js';

const context = { signal: new AbortController().signal, consumer: 'c', epoch: 1 };
const message = (n: number, changes: Parameters<typeof delivered>[0] = {}) =>
  delivered({ id: `id-${n}`, position: n, ...changes });
type Delivered = ReturnType<typeof message>;
const range = (count: number) => Array.from({ length: count }, (_, index) => message(index + 1));

function publisherOf({ url }: { url: string }, options: Partial<WebhookOptions<OutboxMessage>> = {}) {
  const publisher = webhookPublisher(url, { source: '/orders', ...options });
  return async (...messages: Parameters<typeof publisher.publish>[0]): Promise<PublishResult> =>
    (await publisher.publish(messages, context)) ?? { failed: [] };
}
const outcome = ({ failed }: PublishResult) =>
  failed.map(({ position, error }) => [position, (error as Error).name] as const);

describe('statuses', () => {
  it.each([200, 201, 202, 204, 299])('%i is taken', async (code) => {
    const destination = await startDestination(status(code));
    expect(await publisherOf(destination)(message(1))).toEqual({ failed: [] });
  });

  it.each([400, 402, 404, 405, 406, 409, 410, 413, 415, 422, 451])(
    '%i is the failure of that message, for good',
    async (code) => {
      const destination = await startDestination((response, { body }) =>
        status(body.includes('id-2"') ? code : 200)(response, undefined as never),
      );
      const { failed } = await publisherOf(destination)(...range(3));
      expect(failed).toEqual([{ position: 2, error: expect.any(PermanentError) as Error }]);
      expect((failed[0]?.error as Error).message).toBe(
        `${new URL(destination.url).origin} refused the message with status ${code}`,
      );
    },
  );

  it.each([401, 403, 408, 425, 429, 500, 502, 503, 504, 301, 302, 307, 308])(
    '%i is an outage: nothing is spent',
    async (code) => {
      const destination = await startDestination(status(code, { location: 'http://127.0.0.1:1/' }));
      const error = await publisherOf(destination)(message(1)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Unavailable);
      expect((error as Error).message).toContain(`status ${code}`);
      expect(destination.requests.length).toBe(1);
    },
  );

  it('which of 400 to 499 are outages is an option', async () => {
    const destination = await startDestination(status(401));
    const publish = publisherOf(destination, { outageStatuses: [] });
    expect(outcome(await publish(message(1)))).toEqual([[1, 'PermanentError']]);
    destination.answer = status(404);
    await expect(publisherOf(destination, { outageStatuses: [404] })(message(1))).rejects.toBeInstanceOf(Unavailable);
  });

  it('says that a redirect is not followed, without where it leads to', async () => {
    const other = await startDestination();
    const destination = await startDestination(status(307, { location: `${other.url}?token=secret` }));
    const error = (await publisherOf(destination)(message(1)).catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toMatch(/redirects are not followed/);
    expect(error.message).not.toMatch(/secret/);
    expect(other.requests).toEqual([]);
  });

  it('what was taken beside an outage is done, and no further request is made', async () => {
    const destination = await startDestination((response, { body }) =>
      status(body.includes('id-1"') ? 200 : 500)(response, undefined as never),
    );
    const result = await publisherOf(destination, { concurrency: 1 })(...range(20));
    expect(outcome(result)).toEqual(
      range(20)
        .slice(1)
        .map(({ position }) => [position, 'Unavailable']),
    );
    expect(destination.requests.length).toBe(2);
  });

  it('a later message of a key is not sent once the destination is down', async () => {
    const destination = await startDestination((response, { body }) =>
      status(body.includes('id-2"') ? 500 : 200)(response, undefined as never),
    );
    const [first, second, third] = range(3) as [Delivered, Delivered, Delivered];
    const result = await publisherOf(destination)(
      { ...first, key: 'a' },
      { ...second, key: 'b' },
      { ...third, key: 'a' },
    );
    expect(outcome(result)).toEqual([
      [2, 'Unavailable'],
      [3, 'Unavailable'],
    ]);
    expect(destination.requests.length).toBe(2);
  });
});

describe('Retry-After', () => {
  const refusedAt = async (publish: () => Promise<unknown>) => {
    const error = await publish().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Unavailable);
    return (error as Error).message;
  };

  it.each<[string, number, () => Record<string, string>]>([
    ['seconds', 429, () => ({ 'retry-after': '1' })],
    ['seconds', 503, () => ({ 'retry-after': '1' })],
    // By the clock of the server, which is an hour off.
    ['a date', 503, () => ({ 'retry-after': httpDate(3_601_000), date: httpDate(3_600_000) })],
  ])('%s of a %i: no request until then, and one after it', async (_, code, headers) => {
    const destination = await startDestination(status(code, headers()));
    const publish = publisherOf(destination);
    await refusedAt(() => publish(...range(3).map((each) => ({ ...each, key: 'a' }))));
    const [first] = destination.requests;
    expect(destination.requests.length).toBe(1);
    destination.answer = status(200);
    expect(await refusedAt(() => publish(message(1)))).toMatch(/asked to be left alone for another \d+ ms/);
    expect(destination.requests.length).toBe(1);
    await waitFor(() => publish(message(1)));
    expect(destination.requests.length).toBe(2);
    expect(destination.requests[1]!.at - first!.at).toBeGreaterThanOrEqual(950);
  });

  it('is no longer than an hour, and nothing at all when it says nothing', async () => {
    const destination = await startDestination(status(503, { 'retry-after': '999999999' }));
    const publish = publisherOf(destination);
    await refusedAt(() => publish(message(1)));
    expect(await refusedAt(() => publish(message(1)))).toMatch(/another 3[56]\d{5} ms/);
    const other = await startDestination(status(503, { 'retry-after': 'soon' }));
    const publishThere = publisherOf(other);
    await refusedAt(() => publishThere(message(1)));
    await refusedAt(() => publishThere(message(1)));
    expect(other.requests.length).toBe(2);
  });

  it('other messages of the batch are not sent either', async () => {
    const destination = await startDestination((response, { body }) =>
      body.includes('id-1"')
        ? status(200)(response, undefined as never)
        : status(429, { 'retry-after': '60' })(response, undefined as never),
    );
    const result = await publisherOf(destination, { concurrency: 1 })(...range(5));
    expect(outcome(result)).toEqual([2, 3, 4, 5].map((position) => [position, 'Unavailable']));
    expect(destination.requests.length).toBe(2);
  });

  const httpDate = (inMs: number) => new Date(Date.now() + inMs).toUTCString();
});

describe('signatures', () => {
  const secret = `whsec_${Buffer.from('a key of twenty-four b..').toString('base64')}`;
  const other = new Uint8Array(Buffer.from('another key'));
  const idOf = ({ headers }: { headers: Record<string, unknown> }) => headers['webhook-id'];

  it.each(['structured', 'binary', 'batch'] as const)(
    'are what the library of Standard Webhooks verifies, by each secret, in mode %s',
    async (mode) => {
      const destination = await startDestination();
      const publish = publisherOf(destination, { mode, secret: [secret, other] });
      expect(await publish(message(1, { id: 'ä.id 😀', data: { text: 'ä😀' } }))).toEqual({ failed: [] });
      const [{ headers, body }] = destination.requests as [Destination['requests'][number]];
      const given = headers as Record<string, string>;
      for (const webhook of [new Webhook(secret), new Webhook(other, { format: 'raw' })]) {
        expect(() => webhook.verify(body, given)).not.toThrow();
        expect(() => webhook.verify(`${body} `, given)).toThrow();
      }
      expect(() => new Webhook(new Uint8Array([1]), { format: 'raw' }).verify(body, given)).toThrow();
      expect(fromHttp({ headers, body })[0]?.id).toBe('ä.id 😀');
    },
  );

  it('keep the webhook-id when a message is sent again, and have no dot in it', async () => {
    const destination = await startDestination(status(500));
    const publish = publisherOf(destination, { secret });
    await publish(message(1, { id: 'a.b' })).catch(() => undefined);
    destination.answer = status(200);
    await publish(message(1, { id: 'a.b' }));
    expect(destination.requests.map(idOf)).toEqual(['a%2Eb', 'a%2Eb']);
  });

  it('of a batch have the same webhook-id for the same messages', async () => {
    const destination = await startDestination();
    const publish = publisherOf(destination, { secret, mode: 'batch' });
    await publish(...range(3));
    await publish(...range(3));
    await publish(...range(2));
    const [first, again, fewer] = destination.requests.map(idOf);
    expect(first).toBe(again);
    expect(first).not.toBe(fewer);
  });

  it('are not there without a secret', async () => {
    const destination = await startDestination();
    await publisherOf(destination)(message(1));
    expect(Object.keys(destination.requests[0]!.headers).filter((name) => name.startsWith('webhook-'))).toEqual([]);
  });
});

describe('requests', () => {
  it('of different keys run side by side up to concurrency, those of one key one after another', async () => {
    let running = 0;
    let most = 0;
    const perKey = new Map<string, number>();
    const destination = await startDestination((response, { body }) => {
      const key = (JSON.parse(body) as { partitionkey: string }).partitionkey;
      perKey.set(key, (perKey.get(key) ?? 0) + 1);
      expect(perKey.get(key)).toBe(1);
      most = Math.max(most, (running += 1));
      setTimeout(() => {
        running -= 1;
        perKey.set(key, 0);
        response.end();
      }, 5);
    });
    const batch = range(40).map((each) => ({ ...each, key: `key ${each.position % 8}` }));
    expect(await publisherOf(destination, { concurrency: 4 })(...batch)).toEqual({ failed: [] });
    expect(most).toBe(4);
  });

  it.each<[string, Destination['answer']]>([
    ['small', (response) => response.end('x'.repeat(30_000))],
    ['empty', (response) => response.writeHead(204).end()],
    [
      'chunked',
      (response) => {
        response.write('a');
        setImmediate(() => response.end('b'));
      },
    ],
  ])('use one connection again and again when answers are %s', async (_, answer) => {
    const destination = await startDestination(answer);
    const publish = publisherOf(destination, { concurrency: 1 });
    for (let n = 1; n <= 20; n += 1) await publish(message(n));
    expect(destination.requests.length).toBe(20);
    // The second may be begun before the first is back in the pool.
    expect(destination.connections()).toBeLessThanOrEqual(2);
  });

  it('do not read an endless answer to its end', async () => {
    const destination = await startDestination((response) => {
      response.on('error', () => undefined);
      const write = () => {
        if (!response.destroyed) response.write('x'.repeat(10_000), () => setImmediate(write));
      };
      write();
    });
    expect(await publisherOf(destination, { timeoutMs: 20_000 })(message(1))).toEqual({ failed: [] });
  });

  it('take the status as the acknowledgement when the body breaks off, or does not end in time', async () => {
    const destination = await startDestination((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    expect(await publisherOf(destination)(message(1))).toEqual({ failed: [] });
    destination.answer = (response) => void response.writeHead(200).write('half');
    const before = performance.now();
    expect(await publisherOf(destination, { timeoutMs: 300 })(message(2))).toEqual({ failed: [] });
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  it('end with timeoutMs when nothing is answered', async () => {
    const destination = await startDestination(() => undefined);
    const error = (await publisherOf(destination, { timeoutMs: 200 })(message(1)).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toMatch(/did not answer within 200 ms/);
  });

  it('end when the signal of the context aborts', async () => {
    const destination = await startDestination(() => undefined);
    const controller = new AbortController();
    const publishing = webhookPublisher(destination.url, { source: '/' }).publish([message(1)], {
      ...context,
      signal: controller.signal,
    });
    await waitFor(() => destination.requests.length === 1);
    controller.abort(new Error('the lease was lost'));
    await expect(publishing).rejects.toThrow('the lease was lost');
  });

  it.each<[string, (socket: import('node:net').Socket) => void]>([
    ['closes every connection', (socket) => socket.destroy()],
    ['ends its half of every connection', (socket) => socket.end()],
    ['speaks no HTTP', (socket) => socket.end('220 smtp.example.com ESMTP\r\n')],
  ])('to what %s are an outage', async (_, treat) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => treat(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const publish = publisherOf({ url: `http://127.0.0.1:${port}/` }, { timeoutMs: 2_000 });
    await expect(publish(message(1))).rejects.toBeInstanceOf(Unavailable);
  });

  it('to nobody are an outage, whose error says why and nothing of path, headers or data', async () => {
    const [port] = await freePorts(1);
    const publish = publisherOf(
      { url: `http://127.0.0.1:${port}/secret-path` },
      { headers: { authorization: 'Bearer secret-token' } },
    );
    const error = (await publish(message(1, { data: { password: 'secret-data' } })).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toBe(`http://127.0.0.1:${port} can not be reached: ECONNREFUSED`);
    const texts = JSON.stringify([
      error,
      error.cause,
      (error.cause as Error).cause,
      error.stack,
      (error.cause as Error).stack,
    ]);
    expect(texts).not.toMatch(/secret/);
  });

  it('have more headers by option, which do not replace those of the event', async () => {
    const destination = await startDestination();
    let calls = 0;
    const headers = async () => ({ authorization: `Bearer ${(calls += 1)}`, 'content-type': 'text/plain' });
    const publish = publisherOf(destination, { headers });
    await publish(message(1));
    await publish(message(2));
    expect(destination.requests.map((each) => each.headers.authorization)).toEqual(['Bearer 1', 'Bearer 2']);
    expect(destination.requests[0]?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
  });

  it('are an outage when option headers fails, or gives what HTTP does not allow', async () => {
    const destination = await startDestination();
    for (const headers of [() => Promise.reject(new Error('no token')), () => ({ authorization: 'secret\nx' })]) {
      const error = (await publisherOf(destination, { headers })(message(1)).catch(
        (thrown: unknown) => thrown,
      )) as Error;
      expect(error).toBeInstanceOf(Unavailable);
      expect(String(error) + String(error.cause)).not.toMatch(/secret/);
    }
    expect(destination.requests).toEqual([]);
  });

  it('of a batch that is refused are halved until the message is alone', async () => {
    const destination = await startDestination((response, { body }) =>
      status(/"ordernr":(3|6)\D/.test(body) ? 400 : 200)(response, undefined as never),
    );
    const batch = range(8).map((each) => ({
      ...each,
      key: each.position > 5 ? 'a' : 'b',
      data: { ordernr: each.position },
    }));
    const result = await publisherOf(destination, { mode: 'batch' })(...batch);
    expect(outcome(result)).toEqual([
      [3, 'PermanentError'],
      [6, 'PermanentError'],
    ]);
    const taken = destination.requests
      .filter(({ body }) => !/"ordernr":(3|6)\D/.test(body))
      .flatMap((each) => fromHttp(each));
    // 4 and 5 are of the key of 3, 7 and 8 of that of 6: they wait.
    expect(taken.map(({ id }) => id)).toEqual(['id-1', 'id-2']);
  });
});
