/**
 * A webhook in a process of its own: writes every request that it takes to a file before it answers, one JSON a line, and
 * refuses those that hold `"refuse":true` with 422, and those of more than 1 MB with 413;
 * fails with 500 on those that hold `crash`.
 */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, file] = process.argv.slice(2);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (body.length > 1_000_000) {
    response.writeHead(413).end();
    return;
  }
  if (body.includes('crash')) {
    response.writeHead(500).end();
    return;
  }
  if (body.includes('"refuse":true')) {
    response.writeHead(422).end('no such order');
    return;
  }
  appendFileSync(file, `${JSON.stringify({ headers: request.headers, body })}\n`);
  response.writeHead(204).end();
}).listen(Number(port), '127.0.0.1');
