import { setTimeout as delay } from 'node:timers/promises';

import { seededRandom } from '../../../demo/random.js';
import type { PutRecord } from '../history/records.js';
import { openOutbox, rest, STATE, type Context, type FaultOutbox } from './context.js';
import { MessageMaker, type MadeMessage } from './message-maker.js';

class Abort extends Error {}

/** Puts in every way that there is, in several transactions at a time, and writes down how each one ended. */
export async function run(context: Context): Promise<void> {
  const outbox = await openOutbox(context);
  if (outbox === undefined) return;
  const lanes = Array.from({ length: context.task.load.lanes }, (_, lane) => new Lane(context, outbox, lane).run());
  context.tell({ kind: 'ready' });
  await Promise.all(lanes);
  await outbox.close();
}

type Shape = 'bare' | 'single' | 'array' | 'several' | 'abort' | 'conflict' | 'long';
const shapes: readonly Shape[] = ['bare', 'single', 'array', 'array', 'several', 'abort', 'conflict', 'conflict'];

class Lane {
  readonly #random: () => number;
  readonly #maker: MessageMaker;
  #count = 0;

  constructor(
    private readonly context: Context,
    private readonly outbox: FaultOutbox,
    private readonly lane: number,
  ) {
    this.#random = seededRandom(context.task.seed + lane);
    this.#maker = new MessageMaker(context.task, this.#random);
  }

  async run(): Promise<void> {
    const { stop, task } = this.context;
    while (!stop.aborted) {
      await this.#transaction(this.#shape());
      await rest(task.load.pauseMs * 2 * this.#random(), stop);
    }
  }

  #shape(): Shape {
    // The first lane has one long transaction after another, so that there always is one that commits late.
    if (this.lane === 0 && this.#random() < 0.2) return 'long';
    return shapes[Math.floor(this.#random() * shapes.length)] ?? 'single';
  }

  async #transaction(shape: Shape): Promise<void> {
    const { history, task } = this.context;
    this.#count += 1;
    const tx = `${task.process}/${this.lane}/${this.#count}`;
    const messages = this.#maker.make(tx, shape === 'single' ? 1 : undefined);
    const bare = shape === 'bare' ? ({ bare: true } as const) : {};
    history.write({ kind: 'begin', tx, messages: messages.map(recordOf), ...bare });
    const attempt = shape === 'bare' ? this.#putBare(messages) : this.#putInTransaction(tx, shape, messages);
    history.write({ kind: await attempt, tx });
  }

  async #putBare(messages: MadeMessage[]): Promise<'committed' | 'unknown'> {
    try {
      await this.outbox.put(messages, null);
      return 'committed';
    } catch {
      return 'unknown';
    }
  }

  /** A transaction whose body never came to its end has sent no commit. */
  async #putInTransaction(
    tx: string,
    shape: Shape,
    messages: MadeMessage[],
  ): Promise<'committed' | 'aborted' | 'unknown'> {
    const { connection } = this.context;
    let completed = false;
    try {
      await connection.transaction(
        async (session) => {
          const options = { session };
          if (shape === 'conflict')
            await connection
              .collection('hot')
              .updateOne({ _id: 1 as never }, { $inc: { n: 1 } }, { ...options, upsert: true });
          await connection.collection(STATE).insertOne({ _id: tx as never }, options);
          if (shape === 'several' || shape === 'long')
            for (const message of messages) {
              await this.outbox.put(message, session);
              if (shape === 'long') await delay((this.context.task.load.longMs * this.#random()) / messages.length);
            }
          else await this.outbox.put(messages, session);
          if (shape === 'abort') throw new Abort();
          completed = true;
        },
        { writeConcern: { w: 'majority' } },
      );
      return 'committed';
    } catch {
      return completed ? 'unknown' : 'aborted';
    }
  }
}

function recordOf({ type, data, key, id }: MadeMessage): PutRecord {
  return {
    uid: data.uid,
    type,
    ...(key === undefined ? {} : { key }),
    ...(id === undefined ? {} : { id }),
    ...(data.poison ? { poison: true } : {}),
  };
}
