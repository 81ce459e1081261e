import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const START_TIMEOUT_MS = 60_000;
const SHUTDOWN_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
/** Stopped; dead, which comes to the same. */
const stoppedStates = ['T', 't', 'Z', 'X'];

/** A server on 127.0.0.1, with the means to harm it. After a `kill9` the data is as the dead process left it. */
export interface ServerNode {
  readonly port: number;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /** The file that it logs to, in the folder that goes away with it. */
  readonly log: string;
  /** Starts it again, on the same data and port; resolves when it takes connections. */
  restart(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill9(): Promise<void>;
  /** SIGTERM: a clean shutdown. */
  shutdown(): Promise<void>;
  /** SIGSTOP: to its clients it hangs, from when this returns. */
  pause(): void;
  /** SIGCONT */
  resume(): void;
}

/** How a server is started; each start is the same. */
export interface ServerLaunch {
  /** For people: "mongod". */
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** @defaultValue this process's own */
  readonly env?: NodeJS.ProcessEnv;
  /** Everything of this process lives here; the caller removes it. */
  readonly folder: string;
  /** Where it takes connections. */
  readonly port: number;
  /** Whether it is ready, once it takes connections. @defaultValue at once */
  readonly isReady?: () => Promise<boolean>;
}

/** What must die with this process: with a handler for each server, Node would warn of a leak from the eleventh on. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

export class ServerProcess implements ServerNode {
  readonly port: number;
  readonly log: string;
  readonly #launch: ServerLaunch;
  #child: ChildProcess | undefined;

  constructor(launch: ServerLaunch) {
    this.port = launch.port;
    this.#launch = launch;
    this.log = join(launch.folder, `${launch.name}.log`);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { name, binary, args, env, folder, port, isReady = () => Promise.resolve(true) } = this.#launch;
    if (this.#child) throw new Error(`the ${name} on port ${port} is running already`);
    mkdirSync(folder, { recursive: true });
    const [command, ...rest] = [...dieWithParent(), binary, ...args] as [string, ...string[]];
    // To a file and not to a pipe: a full pipe would stop the server, and an open one would keep this process alive.
    const output = openSync(this.log, 'a');
    // In a process group of its own: the Ctrl-C that asks the demo to finish must not take its servers away first.
    const child = spawn(command, rest, {
      stdio: ['ignore', output, output],
      detached: true,
      ...(env === undefined ? {} : { env }),
    });
    closeSync(output);
    child.unref();
    running.add(child);
    this.#child = child;
    let spawnError: Error | undefined;
    child.once('error', (error) => {
      spawnError = error;
      this.#gone(child);
    });
    child.once('exit', () => this.#gone(child));

    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!((await accepts(port)) && (await isReady()))) {
      if (this.#child !== child) {
        const why = spawnError ? spawnError.message : this.#lastLines();
        throw new Error(`${name} did not start on port ${port}. ${why}`);
      }
      if (Date.now() > deadline) {
        await this.kill9();
        throw new Error(`${name} was not ready within ${START_TIMEOUT_MS} ms. ${this.#lastLines()}`);
      }
      await delay(20);
    }
  }

  async restart(): Promise<void> {
    if (this.#child) await this.shutdown();
    await this.start();
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async shutdown(): Promise<void> {
    const timer = setTimeout(() => this.#signal('SIGKILL'), SHUTDOWN_TIMEOUT_MS);
    await this.#end('SIGTERM');
    clearTimeout(timer);
  }

  pause(): void {
    this.#signal('SIGSTOP');
    if (this.pid !== undefined) waitUntilStopped(this.pid);
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child) killGroup(this.#child, signal);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    // `start` let go of it; while its end is awaited it must keep this process alive again.
    child.ref();
    const exited = once(child, 'exit');
    killGroup(child, signal);
    await exited;
  }

  #gone(child: ChildProcess): void {
    running.delete(child);
    if (this.#child === child) this.#child = undefined;
  }

  #lastLines(): string {
    if (!existsSync(this.log)) return 'It wrote no log.';
    const lines = readFileSync(this.log, 'utf8').trim().split('\n').slice(-12);
    return `The end of its log:\n${lines.map((line) => `  ${line.slice(0, 400)}`).join('\n')}`;
  }
}

/** Some servers are a group of processes; each was started as the leader of its group. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}

/** On a busy machine other threads of the process run on, until the one that got the signal is scheduled. */
function waitUntilStopped(pid: number): void {
  if (process.platform !== 'linux') return;
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  while (!threadStates(pid).every((state) => stoppedStates.includes(state))) {
    if (performance.now() > deadline) throw new Error(`process ${pid} was not stopped within ${STOP_TIMEOUT_MS} ms`);
    Atomics.wait(sleeper, 0, 0, 1);
  }
}

/** Of each thread the letter that says what it does: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(
      (thread) => /^\d+ \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))?.[1] ?? '',
    );
  } catch {
    // It, or one of its threads, has ended meanwhile.
    return [];
  }
}

/** Removes a folder that held data of processes which are gone. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * The 'exit' handler above does not run when this process is itself killed. Linux can tie a child's life to its
 * parent's; setpriv (util-linux) asks for that and becomes the server, under the same process id.
 */
function dieWithParent(): string[] {
  const setpriv = '/usr/bin/setpriv';
  return process.platform === 'linux' && existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
