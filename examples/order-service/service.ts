/** Takes orders over HTTP. */
import { createServer, type IncomingMessage } from 'node:http';
import { cancelOrder, Order, payOrder, placeOrder } from './orders.js';
import { connect, disconnect } from './outbox.js';

const DUPLICATE_KEY = 11_000;
const MOST_BODY_BYTES = 64 * 1024;

class BadRequest extends Error {}

await connect();
await Order.init();

const server = createServer((request, response) => {
  answer(request).then(
    (status) => response.writeHead(status).end(),
    (error: unknown) => {
      const [status, text] = refusal(error);
      if (status === 500) console.error(error);
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
    },
  );
});
const port = Number(process.env['PORT'] ?? 3000);
server.listen(port, '127.0.0.1', () => console.log(`orders are taken at http://127.0.0.1:${port}/orders`));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // What is being answered is still answered; after that nothing keeps the process alive.
    server.close(() => void disconnect());
    server.closeIdleConnections();
  });
}

/** @returns the HTTP status */
async function answer(request: IncomingMessage): Promise<number> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, ordernr, payment] = /^\/orders(?:\/(\d{1,15})(\/payment)?)?$/.exec(url.pathname) ?? [];
  if (request.method === 'POST' && url.pathname === '/orders') {
    await placeOrder(wholeNumber(await body(request), 'ordernr'));
    return 201;
  }
  if (request.method === 'POST' && payment !== undefined)
    return (await payOrder(Number(ordernr), wholeNumber(await body(request), 'amount'))) ? 201 : 404;
  if (request.method === 'DELETE' && ordernr !== undefined && payment === undefined)
    return (await cancelOrder(Number(ordernr), url.searchParams.get('reason'))) ? 204 : 404;
  return 404;
}

async function body(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > MOST_BODY_BYTES) throw new BadRequest('the body is too long');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadRequest('the body is no JSON');
  }
}

function wholeNumber(fields: unknown, name: string): number {
  const value = (fields as Record<string, unknown> | null)?.[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new BadRequest(`expected { "${name}": a whole number from 1 on }`);
  return value;
}

function refusal(error: unknown): [status: number, text: string] {
  if (error instanceof BadRequest) return [400, error.message];
  if ((error as { code?: unknown }).code === DUPLICATE_KEY) return [409, 'there is an order of that number'];
  return [500, 'nothing was stored'];
}
