import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below every system's ephemeral range: a port from that range can be taken by somebody's outgoing connection while
 * a killed server is down, and then the server cannot come back on it.
 */
const FIRST = 20_000;
const LAST = 32_000;

/** Different ports of 127.0.0.1 that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt > 100 + count) throw new Error(`found no free port between ${FIRST} and ${LAST} on 127.0.0.1`);
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
