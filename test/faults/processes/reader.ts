import { runEffects, tap } from '@most/core';

import { seededRandom } from '../../../demo/random.js';
import { OutboxError, type Cursor, type Delivered } from '../../../src/index.js';
import { isPassing, openOutbox, rest, type Context, type FaultOutbox } from './context.js';
import type { FaultMessage } from './messages.js';

/** Reads the log, by turns as an iterable and as a stream, stops again and again, and resumes from a position or a date. */
export async function run(context: Context): Promise<void> {
  const outbox = await openOutbox(context);
  if (outbox === undefined) return;
  context.tell({ kind: 'ready' });
  const reader = new Reader(context, outbox);
  const told = setInterval(() => context.tell({ kind: 'read', position: reader.position }), 200);
  await reader.run();
  clearInterval(told);
  await outbox.close();
}

class Reader {
  readonly #random: () => number;
  readonly #name: string;
  #last: { position: number; created: Date } | undefined;
  #opened = 0;
  /** After it was told that its position is lost. */
  #anew = false;

  constructor(
    private readonly context: Context,
    private readonly outbox: FaultOutbox,
  ) {
    this.#random = seededRandom(context.task.seed);
    this.#name = context.task.process;
  }

  get position(): number {
    return this.#last?.position ?? 0;
  }

  async run(): Promise<void> {
    const { stop, history, tell } = this.context;
    while (!stop.aborted) {
      const cursor = this.#cursor();
      history.write({ kind: 'open', reader: this.#name, cursor: recordOf(cursor) });
      this.#opened += 1;
      const messages = 1 + Math.floor(4_000 * this.#random() ** 2);
      try {
        if (this.#opened % 2 === 0) await this.#iterate(cursor, messages);
        else await this.#stream(cursor, messages);
      } catch (error) {
        if (error instanceof OutboxError && error.code === 'POSITION_LOST') {
          history.write({ kind: 'position lost', reader: this.#name });
          this.#anew = true;
        } else if (!isPassing(error)) tell({ kind: 'violation', text: `a reader ended: ${String(error)}` });
        await rest(20, stop);
      }
    }
  }

  #cursor(): Cursor {
    if (this.#last === undefined || this.#anew) {
      this.#anew = false;
      return 'beginning';
    }
    return this.#random() < 0.3 ? this.#last.created : this.#last.position;
  }

  async #iterate(cursor: Cursor, messages: number): Promise<void> {
    let count = 0;
    for await (const message of this.outbox.messages(cursor, { signal: this.context.stop })) {
      this.#read(message);
      if ((count += 1) >= messages) return;
    }
  }

  async #stream(cursor: Cursor, messages: number): Promise<void> {
    const [messages$, scheduler, close] = this.outbox.tail(cursor, { signal: this.context.stop });
    let count = 0;
    const read$ = tap((message) => {
      // What comes after the close was asked for is not taken: the next reader has it again.
      if (count >= messages) return;
      this.#read(message);
      if ((count += 1) >= messages) void close();
    }, messages$);
    try {
      await runEffects(read$, scheduler);
    } finally {
      await close();
    }
  }

  #read({ position, created, data }: Delivered<FaultMessage>): void {
    const entries = [{ position, uid: data.uid, created: created.getTime() }];
    this.context.history.write({ kind: 'read', reader: this.#name, entries });
    this.#last = { position, created };
  }
}

function recordOf(cursor: Cursor): { position: number } | { date: number } | 'beginning' | 'end' {
  if (cursor instanceof Date) return { date: cursor.getTime() };
  return typeof cursor === 'number' ? { position: cursor } : cursor;
}
