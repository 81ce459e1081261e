import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

export interface InboxChildSetup {
  uri: string;
  database: string;
  /** How many messages are applied: those with the ids m0, m1 … */
  messages: number;
  /** At which of its reports the child stands still. @defaultValue none */
  standAt?: number;
}

/** Where the child is: in the work, or behind a commit. */
export type InboxChildReport = 'begun' | 'half' | 'whole' | 'committed';

/**
 * Applies the messages in a process of its own, and kills it (kill -9) at the report number `killAt`. It runs on while
 * the signal is on its way. Resolves when the process has ended.
 *
 * @returns whether it came to its end
 */
export async function runInboxChild(setup: InboxChildSetup, killAt = Infinity): Promise<boolean> {
  const program = fileURLToPath(new URL('inbox-child-main.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
  const exited = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  let reports = 0;
  child.on('message', () => {
    reports += 1;
    if (reports === killAt) child.kill('SIGKILL');
  });
  const [code] = (await exited) as [number | null];
  return code === 0;
}
