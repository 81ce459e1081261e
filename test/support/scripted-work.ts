import type { Connection } from 'mongoose';

import { PermanentError, Unavailable, type Delivered, type HandlerContext, type Publisher } from '../../src/index.js';
import type { TestMessage } from './create-outbox.js';
import { gate, type Gate } from './gate.js';

/** Something that happened to a message in a handler. */
export interface Run {
  consumer: string;
  phase: 'begin' | 'done' | 'failed' | 'aborted';
  position: number;
  ordernr: number;
  key: string | undefined;
  attempt: number;
  epoch: number;
  /** By the clock of its process. */
  at: number;
}

type Context = Omit<HandlerContext, 'attempt'> & { attempt?: number; session?: unknown };

/**
 * A handler whose doings are told by the `note` of each message: words that apply one after another.
 *
 * `fail:2` fails its first two attempts, `dead` fails for good, `unavailable` as the destination would, `kill` kills the process, `kill-retry` fails
 * first and kills the process after that, `hold` waits until released or aborted, `stubborn` waits until released
 * whatever its signal says, `wait:5` takes 5 milliseconds, `count` counts in the collection `projection`.
 */
export class ScriptedWork {
  #held: Gate = gate();

  constructor(
    private readonly report: (run: Run) => void,
    private readonly connection?: Connection,
  ) {}

  /** Lets everything go on that is held. */
  release(): void {
    this.#held.open();
    this.#held = gate();
  }

  readonly handle = async (message: Delivered<TestMessage>, context: Context): Promise<void> => {
    const tell = (phase: Run['phase']) => this.#tell(message, context, phase);
    const held = this.#held.opened;
    const onAbort = () => tell('aborted');
    context.signal.addEventListener('abort', onAbort);
    tell('begin');
    try {
      for (const word of noteOf(message).split(' ')) await this.#do(word, message, context, held);
      tell('done');
    } catch (error) {
      tell('failed');
      throw error;
    } finally {
      context.signal.removeEventListener('abort', onAbort);
    }
  };

  /** The same for batches: a message that fails is reported, the others are done; `kill` and `unavailable` are for all. */
  readonly publisher: Publisher<TestMessage> = {
    publish: async (messages, context) => {
      const failed: { position: number; error: unknown }[] = [];
      for (const message of messages) this.#tell(message, context, 'begin');
      for (const message of messages) {
        const words = noteOf(message).split(' ');
        if (words.includes('kill')) process.kill(process.pid, 'SIGKILL');
        if (words.includes('unavailable')) throw new Unavailable();
        if (words.includes('hold')) await this.#held.opened;
        const fails = words.some((word) => word === 'dead' || word.startsWith('fail'));
        if (fails) failed.push({ position: message.position, error: new Error(noteOf(message)) });
        this.#tell(message, context, fails ? 'failed' : 'done');
      }
      return { failed };
    },
  };

  #tell({ position, data, key }: Delivered<TestMessage>, context: Context, phase: Run['phase']): void {
    const { consumer, epoch, attempt = 0 } = context;
    this.report({ consumer, phase, position, ordernr: data.ordernr, key, attempt, epoch, at: Date.now() });
  }

  async #do(word: string, message: Delivered<TestMessage>, context: Context, held: Promise<void>): Promise<void> {
    const { attempt = 1, signal, session } = context;
    const [verb, count = '0'] = word.split(':');
    if (verb === 'fail' && attempt <= Number(count)) throw new Error(`attempt ${attempt} fails`);
    if (verb === 'dead') throw new PermanentError('for good');
    if (verb === 'unavailable') throw new Unavailable();
    if (verb === 'kill' || (verb === 'kill-retry' && attempt > 1)) await die();
    if (verb === 'kill-retry') throw new Error('fails before it kills');
    if (verb === 'wait') await new Promise((resolve) => setTimeout(resolve, Number(count)));
    if (verb === 'stubborn') await held;
    if (verb === 'hold') {
      const stopped = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
      );
      await Promise.race([held, stopped]);
    }
    if (verb === 'count')
      await this.connection
        ?.collection('projection')
        .updateOne(
          { _id: (message.key ?? 'all') as never },
          { $inc: { count: 1 } },
          { upsert: true, ...(session === undefined ? {} : { session: session as never }) },
        );
  }
}

/** kill -9; nothing runs in this process any more. */
function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

function noteOf(message: Delivered<TestMessage>): string {
  return message.type === 'order_created' ? (message.data.note ?? '') : '';
}
