import type { Put } from '../../../src/index.js';
import { typesOf, type FaultMessage, type FaultType } from './messages.js';
import type { Task } from './task.js';

export type MadeMessage = Put<FaultMessage>;

/** How often each type comes; the transactional consumer, which is the slowest, has `order_cancelled` to itself. */
const weights: Record<FaultType, number> = {
  order_created: 50,
  order_changed: 38,
  order_cancelled: 7,
  order_returned: 5,
};

/** Makes up messages: of hot keys, rare keys and none; some with an id that others have too; some that fail. */
export class MessageMaker {
  readonly #types: readonly FaultType[];

  constructor(
    private readonly task: Task,
    private readonly random: () => number,
  ) {
    this.#types = typesOf(task.release).flatMap((type) => Array<FaultType>(weights[type]).fill(type));
  }

  /** The messages of one transaction: mostly few, at times as many as `load.largest`. */
  make(tx: string, count = this.#count()): MadeMessage[] {
    return Array.from({ length: count }, (_, index) => this.#one(`${tx}/${index}`));
  }

  #count(): number {
    const { largest } = this.task.load;
    return 1 + Math.floor((largest - 1) * this.random() ** 3);
  }

  #one(uid: string): MadeMessage {
    const { load } = this.task;
    const fate = this.random();
    const poison = fate < load.poison;
    const fails = !poison && fate < load.poison + load.failing;
    const key = this.#key();
    const data = {
      uid,
      poison,
      fail: fails ? 1 + Math.floor(2 * this.random()) : 0,
      ...(load.padBytes > 0 ? { pad: 'x'.repeat(load.padBytes) } : {}),
    };
    return {
      type: this.#types[Math.floor(this.random() * this.#types.length)] ?? 'order_created',
      data,
      ...(key === undefined ? {} : { key }),
      ...(this.random() < 0.05 ? { id: `again-${Math.floor(5 * this.random())}` } : {}),
    };
  }

  #key(): string | undefined {
    const kind = this.random();
    if (kind < 0.1) return undefined;
    return kind < 0.4 ? `hot-${Math.floor(4 * this.random())}` : `key-${Math.floor(500 * this.random())}`;
  }
}
