/** A 64-bit integer as the driver decodes it: its own Long, or a number where the server stored a smaller type. */
export type Int64 = { toBigInt(): bigint } | number;

export function toBigInt(value: Int64): bigint {
  return typeof value === 'number' ? BigInt(value) : value.toBigInt();
}
