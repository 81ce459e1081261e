/** The two clocks of a process: the monotonic one stands still while a machine is suspended, the wall clock can be set. */
export interface Clocks {
  monotonicMs(): number;
  wallMs(): number;
}

export const systemClocks: Clocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** Milliseconds since it was made, by whichever clock says more: never less than what really passed. */
export class Stopwatch {
  readonly #monotonic: number;
  readonly #wall: number;

  constructor(private readonly clocks: Clocks = systemClocks) {
    this.#monotonic = clocks.monotonicMs();
    this.#wall = clocks.wallMs();
  }

  elapsedMs(): number {
    return Math.max(this.clocks.monotonicMs() - this.#monotonic, this.clocks.wallMs() - this.#wall);
  }

  /** By the monotonic clock alone: for adding to a server's time, which a set wall clock must not spoil. */
  monotonicElapsedMs(): number {
    return this.clocks.monotonicMs() - this.#monotonic;
  }
}
