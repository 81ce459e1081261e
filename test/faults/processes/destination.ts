import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import { seededRandom } from '../../../demo/random.js';
import type { Context } from './context.js';
import type { BatchAnswer, SentBatch } from './destination-client.js';
import type { Mood } from './task.js';

const SLOW_MS = 300;
/** Longer than a publisher waits for an answer. */
const LATE_MS = 2_500;

/** Stands for a broker: takes batches over HTTP and writes down, in the order in which it took them, what it got. */
export async function run(context: Context): Promise<void> {
  const destination = new Destination(context);
  await destination.listen();
  context.orders.addEventListener('mood', (order) => void destination.be((order as Event & { mood: Mood }).mood));
  context.tell({ kind: 'ready' });
  if (!context.stop.aborted) await once(context.stop, 'abort');
  await destination.close();
}

class Destination {
  readonly #random: () => number;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });
  #mood: Mood = 'up';
  /** How often each message that fails at first was refused, by consumer and message. */
  readonly #refused = new Map<string, number>();

  constructor(private readonly context: Context) {
    this.#random = seededRandom(context.task.seed);
  }

  async listen(): Promise<void> {
    this.#server.listen(Number(new URL(this.context.task.destination).port), '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async be(mood: Mood): Promise<void> {
    this.#mood = mood;
    if (mood === 'down') await this.close();
    else if (!this.#server.listening) await this.listen();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const batch = (await json(request)) as SentBatch;
    const mood = this.#mood;
    if (mood === 'slow') await delay(SLOW_MS);
    if (mood === 'refuses batches') return void response.writeHead(503).end();
    const answer = this.#take(batch, mood === 'refuses messages' ? 0.1 : 0);
    if (mood === 'answers late') await delay(LATE_MS);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  }

  /** After a message that is refused, later ones of its key are not tried: their order is kept. */
  #take({ consumer, epoch, entries }: SentBatch, refusing: number): BatchAnswer {
    const failed: { position: number; tried: boolean; forGood: boolean }[] = [];
    const stuck = new Set<string>();
    const got = [];
    for (const { position, uid, created, key, fail, poison } of entries) {
      if (key !== undefined && stuck.has(key)) {
        failed.push({ position, tried: false, forGood: false });
        continue;
      }
      got.push({ position, uid, created });
      const own = `${consumer} ${uid}`;
      const before = this.#refused.get(own) ?? 0;
      if (!poison && before >= fail && this.#random() >= refusing) continue;
      if (fail > 0) this.#refused.set(own, before + 1);
      failed.push({ position, tried: true, forGood: poison });
      if (key !== undefined) stuck.add(key);
    }
    this.context.history.write({ kind: 'delivery', consumer, epoch, entries: got });
    return { failed };
  }
}
