import { OutboxError, shown } from '../errors.js';
import { abandonable, pause } from './abort.js';

/** Init once (again after a failure), close once; both may be called at any time and any number of times. */
export class Lifecycle<Ready> {
  #ready: Promise<Ready> | undefined;
  #closing: Promise<void> | undefined;
  readonly #givenUp = new AbortController();

  /** @param closeTimeoutMs how long, in milliseconds, `close` waits for an init that is under way */
  constructor(
    private readonly name: string,
    private readonly open: () => Promise<Ready>,
    private readonly release: () => Promise<void>,
    private readonly closeTimeoutMs = 0,
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
    const ready = await abandonable(this.#ready, this.#givenUp.signal);
    // Only a close gives it up: this throws then.
    this.checkOpen();
    return ready as Ready;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Nothing started during init may outlive close; an init that fails has started nothing. One that a server does not
    // answer is given up.
    if (this.#ready !== undefined) {
      const over = new AbortController();
      await Promise.race([this.#ready.catch(() => undefined), pause(this.closeTimeoutMs, over.signal)]);
      over.abort();
      this.#givenUp.abort();
    }
    await this.release();
  }
}
