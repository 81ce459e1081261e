import type { MongoClient } from 'mongodb';
import { onTestFinished } from 'vitest';

/** What the server does to the commands it meets; see MongoDB's src/mongo/db/commands/fail_command.idl. */
export interface CommandFault {
  readonly failCommands: readonly string[];
  /** Only for clients of this name; without it, for everybody. */
  readonly appName?: string;
  readonly namespace?: string;
  readonly errorCode?: number;
  readonly closeConnection?: boolean;
  readonly blockConnection?: boolean;
  readonly blockTimeMS?: number;
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string };
}

/**
 * Lets the server fail commands until `off` is called or the test has finished. A server has one such fault at a time,
 * so a test file that uses it starts a server of its own.
 */
export async function failCommand(
  client: MongoClient,
  fault: CommandFault,
  mode: 'alwaysOn' | { times: number } | { activationProbability: number } = 'alwaysOn',
): Promise<{ off(): Promise<void>; met(times?: number): Promise<void> }> {
  const admin = client.db('admin');
  const { count } = await admin.command({ configureFailPoint: 'failCommand', mode, data: fault });
  const off = async (): Promise<void> => {
    await admin.command({ configureFailPoint: 'failCommand', mode: 'off' });
  };
  onTestFinished(() => off().catch(() => undefined));
  /** Resolves when a command has met the fault so many times. */
  const met = async (expected = 1): Promise<void> => {
    const timesEntered = Number(count) + expected;
    await admin.command({ waitForFailPoint: 'failCommand', timesEntered, maxTimeMS: 20_000 });
  };
  return { off, met };
}
