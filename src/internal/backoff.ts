/** Exponential delay with full jitter's lower half: between half and all of `firstMs * 2^attempt`, at most `mostMs`. */
export function backoffMs(
  attempt: number,
  firstMs: number,
  mostMs: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random();
}
