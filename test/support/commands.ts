import type { CommandStartedEvent } from 'mongodb';
import type { Connection } from 'mongoose';

/** The fields of commands that tests look at. */
interface CommandFields {
  readonly [field: string]: unknown;
  readonly lsid?: { readonly id: unknown };
  readonly tailable?: boolean;
  readonly limit?: number;
  readonly projection?: Readonly<Record<string, unknown>>;
  readonly pipeline?: readonly Readonly<Record<string, unknown>>[];
  readonly documents?: readonly Readonly<Record<string, unknown>>[];
  readonly deletes?: readonly { readonly q: { readonly _id: { readonly $in: readonly unknown[] } } }[];
  readonly maxTimeMS?: number;
  readonly readConcern?: { readonly level?: string; readonly afterClusterTime?: unknown };
  readonly writeConcern?: { readonly w?: unknown; readonly wtimeout?: number };
}

/** A command that was sent to the server. */
export interface SentCommand {
  readonly name: string;
  /** The collection it is about, where there is one. */
  readonly collection: string | undefined;
  readonly command: CommandFields;
}

/** Commands of the driver's own housekeeping. */
const housekeeping = new Set(['hello', 'ping', 'endSessions', 'saslStart', 'saslContinue', 'isMaster', 'ismaster']);

/** Everything that the connection sends from now on; it must have been made with `monitorCommands: true`. */
export function recordCommands(connection: Connection): SentCommand[] {
  const sent: SentCommand[] = [];
  connection.getClient().on('commandStarted', ({ commandName: name, command }: CommandStartedEvent) => {
    if (housekeeping.has(name)) return;
    const target = (name === 'getMore' ? command['collection'] : command[name]) as unknown;
    sent.push({ name, collection: typeof target === 'string' ? target : undefined, command: command });
  });
  return sent;
}
