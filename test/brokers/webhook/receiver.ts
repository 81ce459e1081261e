import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePorts } from '../../../dev/free-ports.js';
import { removeFolder, ServerProcess } from '../../../dev/server-process.js';
import { fromCloudEvent, fromHttp, type MessageOfEvent } from '../../../src/cloudevents.js';

/** A webhook in a process of its own, which can be killed and paused; what it took survives that. */
export interface Receiver {
  readonly url: string;
  readonly server: ServerProcess;
  /** All messages that it took, in its order, repeats included. */
  received(): MessageOfEvent[];
  /** How many requests it took. */
  requests(): number;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'webhook-'));
  const [port] = (await freePorts(1)) as [number];
  const file = join(folder, 'requests.jsonl');
  const server = new ServerProcess({
    name: 'webhook',
    binary: process.execPath,
    args: [fileURLToPath(new URL('receiver-main.mjs', import.meta.url)), String(port), file],
    folder,
    port,
  });
  await server.start();
  const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);
  return {
    url: `http://127.0.0.1:${port}/events`,
    server,
    received: () =>
      lines()
        .flatMap((line) => fromHttp(JSON.parse(line) as { headers: Record<string, string>; body: string }))
        .map(fromCloudEvent),
    requests: () => lines().length,
    close: async () => {
      await server.kill9();
      removeFolder(folder);
    },
  };
}
