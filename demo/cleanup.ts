/** What has to be undone at the end, in whatever way it comes: last in, first out, each only once. */
export class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];
  readonly #begun = new AbortController();
  #running: Promise<void> | undefined;

  /** Aborts when the cleaning begins: from then on nothing new may be started. */
  get begun(): AbortSignal {
    return this.#begun.signal;
  }

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Runs every step, also after one that fails; rejects with the first failure. */
  run(): Promise<void> {
    this.#begun.abort();
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
