/** When the relay is killed. */
export interface Kill {
  /** Not before so many orders were placed. */
  readonly afterOrders: number;
  /** So much later, in milliseconds: anywhere in the relay's reading, publishing and storing its cursor. */
  readonly delayMs: number;
}

/** Two kills at random moments: one in the first half of the orders, one in the second. */
export function planKills(orders: number, random: () => number): Kill[] {
  return [
    [0.15, 0.45],
    [0.55, 0.85],
  ].map(([from = 0, to = 1]) => ({
    afterOrders: Math.ceil(orders * (from + random() * (to - from))),
    delayMs: random() * 30,
  }));
}
