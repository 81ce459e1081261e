import { EventEmitter } from 'node:events';

import { describe, expect, it } from 'vitest';

import type { AmqpMessage } from '../../../src/publishers/rabbitmq/amqp-message.js';
import {
  openRabbitmqClientSession,
  type RabbitmqClientConnection,
} from '../../../src/publishers/rabbitmq/rabbitmq-client-session.js';

const message: AmqpMessage = {
  exchange: '',
  routingKey: 'no-queue',
  content: Buffer.from('{}'),
  properties: {
    mandatory: true,
    deliveryMode: 2,
    contentType: 'application/json',
    timestamp: 1,
    headers: { id: 'id-1', position: '1' },
  },
};

/** A channel with the order of events of rabbitmq-client 5: of a return and a confirm that come together, the confirm is told first. */
class Channel extends EventEmitter {
  confirmSelect = () => Promise.resolve();
  close = () => Promise.resolve();
  basicPublish(): Promise<void> {
    setImmediate(() =>
      this.emit('basic.return', {
        exchange: message.exchange,
        routingKey: message.routingKey,
        replyText: 'NO_ROUTE',
        headers: message.properties.headers,
      }),
    );
    return Promise.resolve();
  }
}

describe('a session of rabbitmq-client', () => {
  it('waits for what tells that a confirmed message was returned', async () => {
    const connection = Object.assign(new EventEmitter(), {
      ready: true,
      acquire: () => Promise.resolve(new Channel()),
    }) as unknown as RabbitmqClientConnection;
    const session = await openRabbitmqClientSession(connection);
    expect(await session.send([message], () => undefined)).toEqual([{ kind: 'returned', text: 'NO_ROUTE' }]);
    session.end();
  });
});
