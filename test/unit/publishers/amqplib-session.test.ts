import { EventEmitter } from 'node:events';

import { describe, expect, it } from 'vitest';

import { AmqplibSession, type AmqplibConfirmChannel } from '../../../src/publishers/rabbitmq/amqplib-session.js';

/** A channel of amqplib 0.10 or 1, whose connection tells once that the server has blocked it. */
function channelOn(connection: EventEmitter): AmqplibConfirmChannel {
  return Object.assign(new EventEmitter(), { connection }) as unknown as AmqplibConfirmChannel;
}

function closedAtOnce(connection: EventEmitter): string | undefined {
  const session = new AmqplibSession(channelOn(connection));
  const { closed } = session;
  session.end();
  return closed?.text;
}

describe('a connection of amqplib that the server has blocked', () => {
  it('is remembered until it goes on, by two listeners however many sessions there are', () => {
    const connection = new EventEmitter();
    expect(closedAtOnce(connection)).toBeUndefined();
    // Between two sessions.
    connection.emit('blocked', 'low on memory');
    expect(closedAtOnce(connection)).toBe('the server has blocked the connection: low on memory');
    expect(closedAtOnce(connection)).toBe('the server has blocked the connection: low on memory');
    connection.emit('unblocked');
    expect(closedAtOnce(connection)).toBeUndefined();
    expect([connection.listenerCount('blocked'), connection.listenerCount('unblocked')]).toEqual([1, 1]);
  });

  it('ends the session that is open', () => {
    const connection = new EventEmitter();
    const session = new AmqplibSession(channelOn(connection));
    connection.emit('blocked', 'low on disk');
    expect(session.closed?.text).toBe('the server has blocked the connection: low on disk');
    session.end();
  });

  it('is known where amqplib says so itself, of version 2 on', () => {
    const connection = Object.assign(new EventEmitter(), { blocked: true });
    expect(closedAtOnce(connection)).toContain('the server has blocked the connection');
    connection.emit('unblocked');
    expect(closedAtOnce(connection)).toBeUndefined();
  });
});
