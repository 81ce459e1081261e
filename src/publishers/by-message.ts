import type { Delivered, OutboxMessage } from '../message.js';
import { shown } from '../errors.js';
import { invalidOption } from '../internal/check-options.js';
import { PermanentError } from '../verdict.js';

/** An option that is a text for all messages, or chosen for each. */
export type TextOf<M extends OutboxMessage> = string | ((message: Delivered<M>) => string);

/** Refuses what is neither a text nor a function. @throws `INVALID_OPTION` */
export function checkTextOf(option: string, value: unknown, required: boolean): void {
  if (value === undefined && !required) return;
  if (typeof value === 'function' || (typeof value === 'string' && value !== '')) return;
  throw invalidOption(option, 'must be a text that is not empty, or a function of the message', `got ${shown(value)}`);
}

/** Refuses options that are given and no function. @throws `INVALID_OPTION` */
export function checkFunctionsOf(options: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && typeof value !== 'function')
      throw invalidOption(name, 'must be a function of the message', `got ${shown(value)}`);
  }
}

/** The option's value for one message. @throws PermanentError when its function gives no text */
export function textFor<M extends OutboxMessage>(option: string, value: TextOf<M>, message: Delivered<M>): string {
  if (typeof value === 'string') return value;
  const text: unknown = value(message);
  if (typeof text === 'string' && text !== '') return text;
  throw new PermanentError(`option ${option} must give a text that is not empty for each message: got ${shown(text)}`);
}
