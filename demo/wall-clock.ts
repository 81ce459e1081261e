import { performance } from 'node:perf_hooks';

/** Milliseconds since 1970 with fractions; within a process it never goes back. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
