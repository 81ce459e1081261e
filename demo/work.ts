import mongoose from 'mongoose';
import { InputError, readInput, type InputLine } from './input-file.js';
import type { DemoOptions } from './options.js';
import { openOutbox, type TypesOfFile } from './outbox.js';
import { madeUpOrders, ordersOf, type OrdersByWriter } from './plan-orders.js';

/** What the service has to do. */
export interface Work {
  readonly writers: OrdersByWriter;
  /** Undefined with made-up orders. */
  readonly types: TypesOfFile | undefined;
}

const WRITERS = 16;

/** @throws InputError */
export function planWork({ input, orders }: DemoOptions, random: () => number): Work {
  if (input === undefined) return { writers: madeUpOrders(orders, WRITERS, random), types: undefined };
  const lines = readInput(input);
  const types = typesOf(lines);
  checkTypes(input, lines, types);
  return { writers: ordersOf(lines, WRITERS), types };
}

function typesOf(lines: readonly InputLine[]): TypesOfFile {
  const fields = new Map<string, Set<string>>();
  for (const { message } of lines) {
    const known = fields.get(message.type) ?? new Set();
    fields.set(message.type, known);
    for (const field of Object.keys(message.data)) known.add(field);
  }
  return Object.fromEntries([...fields].map(([type, names]) => [type, [...names]]));
}

/** A name that cannot be a type or a field is found before anything has begun. */
function checkTypes(path: string, lines: readonly InputLine[], types: TypesOfFile): void {
  if (refusalOf(types) === undefined) return;
  const tried = new Set<string>();
  for (const { line, message } of lines) {
    const shape = JSON.stringify([message.type, ...Object.keys(message.data)]);
    const reason = tried.has(shape) ? undefined : refusalOf(typesOf([{ line, message }]));
    if (reason !== undefined)
      throw new InputError(`${path} has a wrong line; nothing was put:\n  line ${line}: ${reason}`);
    tried.add(shape);
  }
}

function refusalOf(types: TypesOfFile): string | undefined {
  try {
    openOutbox(mongoose.createConnection(), types);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
