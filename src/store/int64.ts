/** A 64-bit integer as the driver decodes it: its own Long, or a number where the server stored a smaller type. */
export type Int64 = { readonly high: number; readonly low: number } | number;

/** By its halves: the driver's own conversion goes through text, which a page of entries would feel. */
export function toBigInt(value: Int64): bigint {
  if (typeof value === 'number') return BigInt(value);
  return BigInt(value.high) * 0x1_0000_0000n + BigInt(value.low >>> 0);
}
