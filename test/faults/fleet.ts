import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Order, Report, Role, Task } from './processes/task.js';

const program = fileURLToPath(new URL('processes/main.ts', import.meta.url));
/** A writer may be waiting for what a killed one has locked; see site.ts. */
const CLOSE_TIMEOUT_MS = 45_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One place in the fleet: its process is replaced by a new one whenever it ends. */
export interface Seat {
  readonly name: string;
  readonly role: Role;
  /** The task of the next process; a nemesis may change the release, the pool, the clock. */
  task: Omit<Task, 'process'>;
}

export interface Member {
  readonly seat: Seat;
  /** Its name, with the number of the process in its seat. */
  readonly process: string;
  readonly pid: number;
  readonly hasEnded: boolean;
  /** How far it has read, of a reader. */
  readonly position: number;
  send(order: Order): void;
  signal(signal: NodeJS.Signals): void;
}

class FleetMember implements Member {
  readonly #child: ChildProcess;
  readonly gone: Promise<void>;
  readonly ready: Promise<void>;
  /** Whether it was told to end, or killed from here. */
  expected = false;
  position = 0;

  constructor(
    readonly seat: Seat,
    readonly process: string,
    onReport: (report: Report) => void,
  ) {
    const task: Task = { ...seat.task, process };
    const errors = openSync(join(task.folder, `${process}.err`), 'a');
    this.#child = fork(program, [JSON.stringify(task)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', errors, errors, 'ipc'],
      // A Ctrl-C is for the suite, which ends them; they end by themselves when it is gone.
      detached: true,
    });
    closeSync(errors);
    running.add(this.#child);
    this.gone = once(this.#child, 'exit').then(() => void running.delete(this.#child));
    let isReady: () => void = () => undefined;
    this.ready = new Promise((resolve) => (isReady = resolve));
    this.#child.on('message', (report: Report) => {
      if (report.kind === 'ready') isReady();
      else if (report.kind === 'read') this.position = report.position;
      else onReport(report);
    });
    // A process that is killed while it is told something.
    this.#child.on('error', () => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get exit(): string {
    return this.#child.signalCode ?? `code ${this.#child.exitCode}`;
  }

  send(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** All processes of a round. What dies is started again, as a supervisor would. */
export class Fleet {
  readonly #members = new Map<string, FleetMember>();
  readonly #counts = new Map<string, number>();
  #closing = false;

  constructor(
    private readonly onViolation: (text: string) => void,
    private readonly onNote: (process: string, text: string) => void,
  ) {}

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** How many processes there have been. */
  get started(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  byRole(role: Role): readonly Member[] {
    return this.members.filter(({ seat }) => seat.role === role);
  }

  /** Starts the process of a seat. Resolves when it is set up. */
  async start(seat: Seat): Promise<void> {
    const count = (this.#counts.get(seat.name) ?? 0) + 1;
    this.#counts.set(seat.name, count);
    const process = `${seat.name}.${count}`;
    const member = new FleetMember(seat, process, (report) => {
      if (report.kind === 'violation') this.onViolation(`${process}: ${report.text}`);
      else if (report.kind === 'note') this.onNote(process, report.text);
    });
    this.#members.set(seat.name, member);
    void member.gone.then(() => {
      if (!member.expected) this.onViolation(`${process} ended by itself with ${member.exit}: see ${process}.err`);
    });
    await Promise.race([member.ready, member.gone]);
  }

  /** SIGKILL; a new process takes the seat. */
  async kill(member: Member): Promise<void> {
    await this.#replace(member as FleetMember, () => {
      member.signal('SIGKILL');
      // A stopped process dies of it too.
      return Promise.resolve();
    });
  }

  /** Lets it close everything and end, as a deploy does; a new process takes the seat. Resolves when the old one is gone. */
  async close(member: Member): Promise<void> {
    await this.#replace(member as FleetMember, () => this.#end(member as FleetMember));
  }

  /** Ends all processes of these roles peacefully, for good. */
  async stop(...roles: Role[]): Promise<void> {
    this.#closing = true;
    const members = [...this.#members.values()].filter(({ seat }) => roles.includes(seat.role));
    await Promise.all(members.map((member) => this.#end(member)));
    for (const { seat } of members) this.#members.delete(seat.name);
    this.#closing = false;
  }

  /** Whatever is left. */
  async killAll(): Promise<void> {
    this.#closing = true;
    for (const member of this.#members.values()) {
      member.expected = true;
      member.signal('SIGKILL');
    }
    await Promise.all([...this.#members.values()].map(({ gone }) => gone));
  }

  async #replace(member: FleetMember, end: () => Promise<void>): Promise<void> {
    if (this.#members.get(member.seat.name) !== member || member.expected) return;
    member.expected = true;
    await end();
    await member.gone;
    if (!this.#closing) void this.start(member.seat);
  }

  async #end(member: FleetMember): Promise<void> {
    member.expected = true;
    member.send({ kind: 'stop' });
    const inTime = await Promise.race([member.gone.then(() => true), delay(CLOSE_TIMEOUT_MS, false, { ref: false })]);
    if (!inTime) {
      this.onViolation(`${member.process} did not close within ${CLOSE_TIMEOUT_MS} ms`);
      member.signal('SIGKILL');
      await member.gone;
    } else if (member.exit !== 'code 0')
      this.onViolation(`${member.process} closed with ${member.exit}: see ${member.process}.err`);
  }
}
