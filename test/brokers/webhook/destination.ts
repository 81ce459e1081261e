import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { onTestFinished } from 'vitest';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When it came, by the monotonic clock. */
  readonly at: number;
}

/** Answers a request in any way: the response is its to end, or not. */
export type Answer = (response: ServerResponse, received: Received) => void;

export interface Destination {
  readonly url: string;
  readonly requests: Received[];
  /** Connections that it ever took. */
  connections(): number;
  answer: Answer;
}

/** An HTTP server in this process whose answers the test decides. */
export async function startDestination(answer: Answer = (response) => response.end()): Promise<Destination> {
  const requests: Received[] = [];
  const sockets = new Set<Socket>();
  const destination = { requests, answer, connections: () => sockets.size, url: '' };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = { headers: request.headers, body: Buffer.concat(chunks).toString(), at: performance.now() };
      requests.push(received);
      destination.answer(response, received);
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  destination.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
  return destination;
}

export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (response) => response.writeHead(code, headers).end('an answer');
}
