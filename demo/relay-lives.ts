import { Child } from './child-process.js';
import type { Cleanup } from './cleanup.js';
import type { RelayReport, RelayTask } from './relay-process.js';

type RelayChild = Child<RelayTask, RelayReport>;

/** What the running relay process has told. */
interface Life {
  reading: boolean;
  /** The position up to which the broker has everything; 0 while this process has published nothing. */
  published: number;
}

/**
 * The relay through its deaths. Each next process is loaded beforehand and waits for its task, so that the latency
 * measured is that of the takeover, and not that of Node reading its modules on a busy machine.
 */
export class RelayLives {
  /** The highest position that any of them has told of; for show. */
  highest = 0;
  #life: Life = { reading: false, published: 0 };
  #current: RelayChild | undefined;
  #next: { readonly child: RelayChild; readonly life: Life } | undefined;

  constructor(
    private readonly task: RelayTask,
    private readonly cleanup: Cleanup,
    private readonly onNews: () => void,
    private readonly onFailure: (error: Error) => void,
  ) {}

  get life(): Readonly<Life> {
    return this.#life;
  }

  /** Begins another life; with `successor`, the process after it begins to load. */
  start(successor: boolean): void {
    const { child, life } = this.#next ?? this.#load();
    this.#current = child;
    this.#life = life;
    child.begin(this.task);
    this.#next = successor ? this.#load() : undefined;
  }

  /** SIGKILL, wherever it is. */
  async kill(): Promise<void> {
    await this.#current?.kill();
  }

  async stop(): Promise<void> {
    await this.#current?.stop();
  }

  #load(): { child: RelayChild; life: Life } {
    this.cleanup.begun.throwIfAborted();
    const life: Life = { reading: false, published: 0 };
    const onReport = (report: RelayReport): void => {
      if (report.kind === 'reading') life.reading = true;
      else life.published = report.position;
      this.highest = Math.max(this.highest, life.published);
      this.onNews();
    };
    const child: RelayChild = new Child(import.meta.resolve('./relay-process.ts'), onReport, this.onFailure);
    this.cleanup.add(() => child.kill());
    return { child, life };
  }
}
