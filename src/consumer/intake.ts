import { OutboxError } from '../errors.js';
import type { StoredEntry } from '../store/read-log-page.js';
import type { FailureLoader } from './failure-loader.js';
import { processDied } from './recovery.js';
import type { Settlement } from './settlement.js';
import { logTask } from './task.js';
import type { TermState } from './term-state.js';

/** Most bytes of messages that are read ahead. */
export const mostBufferedBytes = 16 * 1024 * 1024;

/** Most messages above one that is stuck, though those of blocked keys need not wait for it. */
const mostAhead = 20_000;
/** So many messages are kept at hand: about a page, since reading the next one takes as long as running many. */
const readAhead = 2_000;

/** Reads the log ahead into the window: the next page while messages of the one before are run. */
export class Intake {
  readonly #pages: AsyncIterator<StoredEntry[]>;
  #reading = false;
  #exhausted = false;
  #unknownType: string | undefined;
  /** Running byte count of the log up to where it was read. */
  #bytes: bigint;

  constructor(
    private readonly state: TermState,
    private readonly failures: FailureLoader,
    private readonly settlement: Settlement,
  ) {
    const { checkpoint } = state.setup;
    this.#bytes = checkpoint.bytes;
    this.#pages = state.setup.pages(checkpoint.position, state.over.signal);
  }

  /** Whether the end was reached, where it is no live reader. */
  get isExhausted(): boolean {
    return this.#exhausted;
  }

  /** A type that this process can't handle; nothing is read beyond it. */
  get unknownType(): string | undefined {
    return this.#unknownType;
  }

  /** Reads the next page, unless enough is there. */
  read(): void {
    const { count, bytes } = this.state.window.buffered;
    const enough = Math.max(this.state.setup.options.batchSize, readAhead);
    const full = count >= enough || bytes >= mostBufferedBytes || this.state.window.reach.length >= mostAhead;
    if (this.#reading || this.#exhausted || full || this.#unknownType !== undefined) return;
    this.#reading = true;
    this.#addPage()
      .catch((error: unknown) => this.state.failed(error))
      .finally(() => {
        this.#reading = false;
        this.state.wakeUp();
      });
  }

  close(): void {
    void this.#pages.return?.().catch(() => undefined);
  }

  async #addPage(): Promise<void> {
    const page = await this.#pages.next();
    if (this.state.over.signal.aborted) return;
    if (page.done === true) {
      this.#exhausted = true;
      return;
    }
    const { checkpoint, options, work, consumer } = this.state.setup;
    const { window, solo, running } = this.state;
    const entries = page.value;
    const failed = await this.failures.failedAmong(
      (entries[0] as StoredEntry)._id,
      (entries.at(-1) as StoredEntry)._id,
    );
    const handled = checkpoint.handled.length > 0 ? new Set(checkpoint.handled) : undefined;
    // The transaction of one that is run may have removed its record already, though nobody here knows yet.
    const beingRun = new Set(
      [...running.keys()].filter(({ source }) => source === 'failures').map((task) => task.position),
    );
    for (const entry of entries) {
      const { _id: position, bytes } = entry;
      const type = entry.type as string;
      const size = Number(bytes - this.#bytes);
      this.#bytes = bytes;
      const filtered = options.types !== undefined && !options.types.has(type);
      const isDone = handled?.has(position) === true || window.reach.hasEndedApart(position);
      if (filtered || failed.has(position) || beingRun.has(position) || isDone) {
        window.reach.skip({ position, bytes });
        continue;
      }
      if (!work.handles(type)) {
        this.#unknownType = type;
        this.state.report(unknownType(type, consumer));
        return;
      }
      const task = logTask(entry, options.order, size);
      window.add(task, bytes);
      if (solo.died?.source === 'log' && solo.died.position === position)
        this.settlement.convict(task, processDied(consumer));
    }
  }
}

export function unknownType(type: string, consumer: string): OutboxError {
  return new OutboxError(
    'UNKNOWN_TYPE',
    `consumer "${consumer}" met a message of type "${type}", for which this process has no schema or no handler: it leaves its place to another process, passes nothing over and spends no attempt; deploy a version that knows the type, or leave it out with the option types`,
  );
}
