/** Places and cancels orders over HTTP, each in one transaction with its message. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';

import mongoose from 'mongoose';

import { connect, disconnect, Order, outbox } from './outbox.js';

const duplicateKey = 11_000;

class BadRequest extends Error {}

async function placeOrder(body: unknown): Promise<void> {
  const { ordernr, customer } = (body ?? {}) as { ordernr?: unknown; customer?: unknown };
  if (
    typeof ordernr !== 'number' ||
    !Number.isSafeInteger(ordernr) ||
    typeof customer !== 'string' ||
    customer === ''
  ) {
    throw new BadRequest('expected { "ordernr": a whole number, "customer": text }');
  }
  await mongoose.connection.transaction(async (session) => {
    await Order.create([{ ordernr, customer, status: 'created' }], { session });
    await outbox.put({ type: 'order_created', data: { ordernr, customer }, key: String(ordernr) }, session);
  });
}

/** @returns whether there was such an order */
async function cancelOrder(ordernr: number, reason: string | undefined): Promise<boolean> {
  return mongoose.connection.transaction(async (session) => {
    const { modifiedCount } = await Order.updateOne(
      { ordernr, status: 'created' },
      { $set: { status: 'cancelled' } },
      { session },
    );
    if (modifiedCount === 0) return false;
    const data = { ordernr, ...(reason === undefined ? {} : { reason }) };
    await outbox.put({ type: 'order_cancelled', data, key: String(ordernr) }, session);
    return true;
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const order = /^\/orders\/(\d+)$/.exec(url.pathname);
  if (request.method === 'POST' && url.pathname === '/orders') {
    const body = await json(request).catch(() => {
      throw new BadRequest('the body is no JSON');
    });
    await placeOrder(body);
    response.writeHead(201).end();
  } else if (request.method === 'DELETE' && order !== null) {
    const found = await cancelOrder(Number(order[1]), url.searchParams.get('reason') ?? undefined);
    response.writeHead(found ? 204 : 404).end();
  } else {
    response.writeHead(404).end();
  }
}

await connect();
const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const [status, text] =
      error instanceof BadRequest
        ? [400, error.message]
        : (error as { code?: unknown }).code === duplicateKey
          ? [409, 'there is an order of that number']
          : [500, 'the order was not stored'];
    if (status === 500) console.error(error);
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
  });
});
const port = Number(process.env['PORT'] ?? 3000);
server.listen(port, '127.0.0.1', () => console.log(`orders are taken at http://127.0.0.1:${port}/orders`));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close(() => void disconnect());
    server.closeIdleConnections();
  });
}
