/** Whatever was waited for does not come. */
export class Stalled extends Error {
  override readonly name = 'Stalled';
}

/** What several processes told; whoever waits for a state of things looks again at each news. */
export class Board {
  #waiting = new Set<() => void>();
  #failure: Error | undefined;

  /** Something has changed. */
  update(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  /** From now on every wait ends with this error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.update();
  }

  /** Resolves when the condition holds; rejects with `Stalled` when nothing has changed for `silenceMs`. */
  async until(what: string, condition: () => boolean, silenceMs: number): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (condition()) return;
      if (!(await this.#news(silenceMs)))
        throw new Stalled(`nothing happened for ${silenceMs} ms, waiting for ${what}`);
    }
  }

  #news(silenceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), silenceMs);
      this.#waiting.add(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
