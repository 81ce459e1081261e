import type { Producer } from 'kafkajs';
import { describe, expectTypeOf, it } from 'vitest';

import type { Delivered, Publisher, ServiceOutbox } from '../../src/index.js';
import { kafkaPublisher } from '../../src/kafka.js';
import { webhookPublisher } from '../../src/webhook.js';

type Created = { type: 'order_created'; data: { nr: number } };
type Shipped = { type: 'order_shipped'; data: { nr: number; at: Date } };
type Message = Created | Shipped;

declare const outbox: ServiceOutbox<Message>;
declare const producer: Producer;

describe('a publisher that is made in the call', () => {
  it('is one of the messages of the outbox', () => {
    outbox.relay('r', kafkaPublisher(producer, { topic: 'orders' }));
    outbox.relay('r', webhookPublisher('https://example.com', { source: '/orders' }));
    void outbox.drain('r', kafkaPublisher(producer, { topic: 'orders' }), { deadlineMs: 5 });
  });

  it('gives them to the functions of its options', () => {
    const options = {
      topic: (message: Delivered<Message>) => `orders.${message.type}`,
    };
    outbox.relay('r', kafkaPublisher(producer, options));
    outbox.relay(
      'r',
      kafkaPublisher(producer, {
        topic: (message) => {
          expectTypeOf(message).toEqualTypeOf<Delivered<Message>>();
          return message.type;
        },
      }),
    );
    // @ts-expect-error a number is no topic
    outbox.relay('r', kafkaPublisher(producer, { topic: ({ data }) => data.nr }));
  });

  it('may get fewer types', () => {
    outbox.relay('r', kafkaPublisher(producer, { topic: 'orders' }), { types: ['order_created'] });
    void outbox.drain('r', kafkaPublisher(producer, { topic: 'orders' }), { types: ['order_created'] });
  });

  it('may be made apart', () => {
    const publisher = kafkaPublisher<Created>(producer, { topic: ({ data }) => `orders.${data.nr}` });
    expectTypeOf(publisher).toEqualTypeOf<Publisher<Created>>();
    outbox.relay('r', publisher, { types: ['order_created'] });
    // @ts-expect-error it takes one type, and all would come
    outbox.relay('r', publisher);
  });
});
