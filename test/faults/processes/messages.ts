import type { MessageSchemas } from '../../../src/index.js';

interface Payload {
  /** Unlike an id, that of no other message. */
  uid: string;
  /** So many attempts of a handler fail before one succeeds. */
  fail: number;
  /** No attempt ever succeeds. */
  poison: boolean;
  /** Makes it large. */
  pad?: string;
}

export type FaultType = 'order_created' | 'order_changed' | 'order_cancelled' | 'order_returned';
export type FaultMessage = { [T in FaultType]: { type: T; data: Payload } }[FaultType];

const payload = {
  data: {
    uid: { type: String, required: true },
    fail: { type: Number, required: true },
    poison: { type: Boolean, required: true },
    pad: String,
  },
} as const;

/** The types that a service knows before and after the deploy which brings `order_returned`. */
const oldTypes = { order_created: payload, order_changed: payload, order_cancelled: payload };
const schemasOf = { new: { ...oldTypes, order_returned: payload }, old: oldTypes };

export type Release = keyof typeof schemasOf;

/** As far as the compiler knows, every release has all types: an older one meets a newer type only when it runs. */
export function schemas(release: Release): MessageSchemas<FaultMessage> {
  return schemasOf[release] as unknown as MessageSchemas<FaultMessage>;
}

export function typesOf(release: Release): FaultType[] {
  return Object.keys(schemasOf[release]) as FaultType[];
}
