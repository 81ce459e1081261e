import { OutboxError, shown } from '../errors.js';

/** Init once (again after a failure), close once; both may be called at any time and any number of times. */
export class Lifecycle<Ready> {
  #ready: Promise<Ready> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly name: string,
    private readonly open: () => Promise<Ready>,
    private readonly release: () => Promise<void>,
  ) {}

  checkOpen(): void {
    if (this.#closing !== undefined)
      throw new OutboxError('CLOSED', `the outbox ${shown(this.name)} is closed: make a new one`);
  }

  /** Concurrent calls share one attempt. @throws `CLOSED` */
  async ready(): Promise<Ready> {
    this.checkOpen();
    this.#ready ??= this.open().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    const ready = await this.#ready;
    this.checkOpen();
    return ready;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Nothing started during init may outlive close; an init that fails has started nothing.
    await this.#ready?.catch(() => undefined);
    await this.release();
  }
}
