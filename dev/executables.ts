/** Binaries of servers: where they are, and whether they run. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where servers are kept that were fetched once. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  // An empty or relative XDG_CACHE_HOME is to be ignored, says the XDG specification.
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg?.startsWith('/') ? xdg : join(homedir(), '.cache'), 'service-outbox');
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Undefined where no folder of PATH has it. */
export async function findOnPath(command: string, env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const name = process.platform === 'win32' ? `${command}.exe` : command;
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const binary = join(folder, name);
    if (folder !== '' && (await isExecutable(binary))) return binary;
  }
  return undefined;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** @defaultValue 300,000 */
  readonly timeoutMs?: number;
}

/** What a command prints. @throws with the last words of a failed one, which hold the reason */
export async function outputOf(
  command: string,
  args: readonly string[],
  { timeoutMs = 300_000, ...options }: CommandOptions = {},
): Promise<string> {
  try {
    const { stdout } = await run(command, args, { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024, ...options });
    return stdout;
  } catch (error) {
    throw new Error(`${command} failed: ${explain(error)}`, { cause: error });
  }
}

/** The last words of a failed command, instead of Node's "Command failed". */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stderr, killed } = error as { stderr?: string; killed?: boolean };
  if (killed) return 'timed out';
  const lastLines = stderr?.trim().split('\n').slice(-3).join('\n');
  return lastLines ? lastLines : error.message;
}
