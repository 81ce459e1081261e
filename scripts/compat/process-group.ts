import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const GRACE_MS = 10_000;

/** Groups that must not outlive this process. */
const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) killGroup(pid, 'SIGKILL');
});

export interface GroupOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Everything that it writes is added to this file. */
  readonly log: string;
  readonly signal: AbortSignal;
}

/**
 * Runs a command as the head of a process group of its own, and ends the whole group when the signal aborts: npm, vitest
 * and its workers get the same Ctrl-C. Resolves with the exit code, or the signal that ended it, when the head is gone.
 */
export async function runGroup(
  [command, ...args]: readonly [string, ...string[]],
  { cwd, env, log, signal }: GroupOptions,
): Promise<number | NodeJS.Signals> {
  signal.throwIfAborted();
  const output = openSync(log, 'a');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  const { pid } = child;
  if (pid !== undefined) running.add(pid);
  const end = (how: NodeJS.Signals): void => {
    if (pid !== undefined) killGroup(pid, how);
  };
  let hard: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    end('SIGTERM');
    hard = setTimeout(end, GRACE_MS, 'SIGKILL');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, by) => resolve(code ?? by ?? 1));
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(hard);
    // Nobody reads on in the folder that is removed next.
    end('SIGKILL');
    if (pid !== undefined) running.delete(pid);
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: no process of the group is left. EPERM is what macOS says of one that has just ended.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
