import { PermanentError, type Publisher } from '../../../src/index.js';
import { anyOf } from '../../../src/internal/abort.js';
import type { Context } from './context.js';
import { seen } from './handlers.js';
import type { FaultMessage } from './messages.js';

/** How long an answer is waited for. */
const ANSWER_TIMEOUT_MS = 1_500;

/** A batch as it is sent to the destination. */
export interface SentBatch {
  readonly consumer: string;
  readonly epoch: number;
  readonly entries: readonly {
    readonly position: number;
    readonly uid: string;
    readonly created: number;
    readonly key?: string;
    readonly fail: number;
    readonly poison: boolean;
  }[];
}

export interface BatchAnswer {
  /** Everything that was not taken; not `tried` is what comes after a refused message of its key. */
  readonly failed: readonly { readonly position: number; readonly tried: boolean; readonly forGood: boolean }[];
}

/** Publishes to the destination's process over HTTP; that one writes down what it got, this one what it was answered. */
export function destinationPublisher({ history, task }: Context): Publisher<FaultMessage> {
  return {
    publish: async (messages, { consumer, epoch, signal }) => {
      const batch: SentBatch = {
        consumer,
        epoch,
        entries: messages.map((message) => ({
          ...seen(message),
          ...(message.key === undefined ? {} : { key: message.key }),
          fail: message.data.fail,
          poison: message.data.poison,
        })),
      };
      const response = await fetch(task.destination, {
        method: 'POST',
        body: JSON.stringify(batch),
        signal: anyOf(signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)),
      });
      if (!response.ok) throw new Error(`the destination answers ${response.status}`);
      const { failed } = (await response.json()) as BatchAnswer;
      const missing = new Set(failed.map(({ position }) => position));
      const positions = messages.map(({ position }) => position);
      const taken = positions.filter((position) => !missing.has(position));
      const refused = failed.filter(({ tried }) => tried).map(({ position }) => position);
      const handled = { kind: 'handled', consumer, epoch } as const;
      if (refused.length > 0) history.write({ ...handled, outcome: 'failed', positions: refused });
      if (taken.length > 0)
        history.write({ ...handled, outcome: signal.aborted ? 'abandoned' : 'ok', positions: taken });
      return {
        failed: failed.map(({ position, forGood }) => ({
          position,
          error: forGood ? new PermanentError('poison') : new Error('refused by the destination'),
        })),
      };
    },
  };
}
