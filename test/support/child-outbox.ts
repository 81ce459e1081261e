import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { ConnectOptions } from 'mongoose';
import { inject, onTestFinished } from 'vitest';

import type { Cursor, DrainOptions, ServiceOutboxOptions } from '../../src/index.js';
import { waitFor, type TestMessage } from './create-outbox.js';
import type { Run } from './scripted-work.js';

export interface ChildSetup {
  uri: string;
  database: string;
  name: string;
  options: Omit<ServiceOutboxOptions, 'connection' | 'currentSession'>;
  connect: ConnectOptions;
}

export interface ChildOrder {
  id: number;
  do:
    | 'init'
    | 'start'
    | 'read'
    | 'put'
    | 'close'
    | 'disconnect'
    | 'letGo'
    | 'consume'
    | 'relay'
    | 'drain'
    | 'release'
    | 'closeConsumers';
  cursor?: Exclude<Cursor, Date>;
  /** Name of the consumer. @defaultValue 'c' */
  consumer?: string;
  options?: Omit<DrainOptions<TestMessage['type']>, 'signal'>;
  ordernrs?: readonly number[];
}

export type ChildReport =
  | { event: string; payload?: unknown }
  | { read: [position: number, ordernr: number] }
  | { run: Run }
  | { done: number; result?: unknown }
  | { failed: number; message: string };

/** An outbox in a process of its own, which can be killed, stopped and continued. */
export class ChildOutbox {
  readonly #process: ChildProcess;
  readonly #settled = new Map<number, (report: ChildReport) => void>();
  readonly #exited: Promise<unknown>;
  #lastId = 0;
  /** Events of the outbox, in order. */
  readonly events: { event: string; payload: Record<string, unknown>; at: number }[] = [];
  /** What `read` has delivered: [position, ordernr]. */
  readonly read: [number, number][] = [];
  /** What its consumers did. */
  readonly runs: Run[] = [];
  #exit = false;

  constructor(setup: ChildSetup, onRun?: (run: Run) => void) {
    const program = fileURLToPath(new URL('child-main.ts', import.meta.url));
    this.#process = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
    this.#exited = once(this.#process, 'exit').then(() => (this.#exit = true));
    this.#process.on('message', (report: ChildReport) => {
      if ('read' in report) this.read.push(report.read);
      else if ('run' in report) {
        this.runs.push(report.run);
        onRun?.(report.run);
      } else if ('event' in report)
        this.events.push({
          event: report.event,
          payload: (report.payload ?? {}) as Record<string, unknown>,
          at: performance.now(),
        });
      else this.#settled.get('done' in report ? report.done : report.failed)?.(report);
    });
  }

  has(event: string): boolean {
    return this.events.some((seen) => seen.event === event);
  }

  /** The payloads of an event so far. */
  payloads(event: string): Record<string, unknown>[] {
    return this.events.filter((seen) => seen.event === event).map(({ payload }) => payload);
  }

  /** Whether the process has ended. */
  get hasEnded(): boolean {
    return this.#exit;
  }

  /** Carries out one order in the child, and gives what it gave there; rejects when it fails there. */
  async order(order: Omit<ChildOrder, 'id'>): Promise<unknown> {
    const id = (this.#lastId += 1);
    const settled = new Promise<ChildReport>((resolve) => this.#settled.set(id, resolve));
    this.#process.send({ id, ...order });
    const report = await settled;
    if ('failed' in report) throw new Error(`in the child process: ${report.message}`);
    return 'done' in report ? report.result : undefined;
  }

  /** Resolves with the exit code when the process has ended by itself, and throws when it does not. */
  async ends(withinMs: number): Promise<number | null> {
    await waitFor(() => this.#process.exitCode !== null || this.#process.signalCode !== null, withinMs);
    return this.#process.exitCode;
  }

  async kill9(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGSTOP: the process stands still, as on a machine that is suspended. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  /** SIGCONT */
  resume(): void {
    this.#process.kill('SIGCONT');
  }
}

/** Starts a child process with an outbox on the same collections; resolves when it is connected. Killed when the test has finished. */
export async function startChild(
  setup: Partial<ChildSetup> & { database: string },
  onRun?: (run: Run) => void,
): Promise<ChildOutbox> {
  const child = new ChildOutbox({ uri: inject('mongoUri'), name: 'Outbox', options: {}, connect: {}, ...setup }, onRun);
  onTestFinished(() => child.kill9());
  await waitFor(() => child.has('ready'), 30_000);
  return child;
}
