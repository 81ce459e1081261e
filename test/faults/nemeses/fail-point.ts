import { MongoClient, type Document } from 'mongodb';

import type { Field } from './field.js';

/** What the server does to the commands that it meets; see MongoDB's src/mongo/db/commands/fail_command.idl. */
interface CommandFault {
  readonly failCommands: readonly string[];
  /** The process, or every one. */
  readonly appName?: string;
  readonly errorCode?: number;
  readonly errorLabels?: readonly string[];
  readonly closeConnection?: boolean;
  readonly blockConnection?: boolean;
  readonly blockTimeMS?: number;
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string };
}

type Mode = 'alwaysOn' | { readonly times: number } | { readonly activationProbability: number };

export interface FailPoint {
  /** Waits until a command has met it; false after the time. */
  met(withinMs: number): Promise<boolean>;
  /** At the node where it was set, unless that is down: a restart ends it too. */
  off(): Promise<void>;
}

/** Lets the primary of now fail commands. A server has one such fault at a time. */
export async function failCommand(field: Field, data: CommandFault, mode: Mode): Promise<FailPoint> {
  const { port } = await field.site.set.primary();
  const command = async (document: Document): Promise<Document> => {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
      serverSelectionTimeoutMS: 2_000,
      socketTimeoutMS: 20_000,
    });
    try {
      return await client.db('admin').command(document);
    } finally {
      await client.close();
    }
  };
  const { count } = await command({ configureFailPoint: 'failCommand', mode, data });
  return {
    met: (withinMs) =>
      command({ waitForFailPoint: 'failCommand', timesEntered: Number(count) + 1, maxTimeMS: withinMs }).then(
        () => true,
        () => false,
      ),
    off: async () => {
      await command({ configureFailPoint: 'failCommand', mode: 'off' }).catch(() => undefined);
    },
  };
}
