const RealDate = Date;
let errorMs = 0;

/** `Date` as on a machine whose clock is wrong by some time. The monotonic clock, and timers, are as they were. */
class WrongDate extends RealDate {
  constructor(...args: readonly unknown[]) {
    if (args.length === 0) super(WrongDate.now());
    else super(...(args as [number]));
  }

  /** A date that was made before the clock went wrong is one as well. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Object.prototype.isPrototypeOf.call(RealDate.prototype, value as object);
  }

  static override now(): number {
    return RealDate.now() + errorMs;
  }
}

// mongoose knows the type of a path by the name of its class.
Object.defineProperty(WrongDate, 'name', { value: 'Date' });

export function setClockWrongBy(ms: number): void {
  errorMs = ms;
  globalThis.Date = WrongDate as DateConstructor;
}
