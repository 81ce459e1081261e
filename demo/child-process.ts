import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { STOP, type OwnReport } from './child-main.js';

const STOP_TIMEOUT_MS = 5_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A process of the demo: it loads, and waits for its task. The other side is child-main.ts. */
export class Child<Task extends object, Report extends { readonly kind: string }> {
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  #loaded = false;
  #killed = false;

  /** @param onFailure called when it ends without having finished, and was not killed from here */
  constructor(file: string, onReport: (report: Report) => void, onFailure: (error: Error) => void) {
    this.#process = fork(fileURLToPath(file), { serialization: 'advanced' });
    running.add(this.#process);
    let failure: string | undefined;
    this.#process.on('message', (report: Report | OwnReport) => {
      const own = report as OwnReport;
      if (own.kind === 'loaded') this.#loaded = true;
      else if (own.kind === 'failed') failure = own.text;
      else onReport(report as Report);
    });
    this.#gone = new Promise((resolve) => {
      const gone = (fault: string | undefined): void => {
        running.delete(this.#process);
        if (fault !== undefined && !this.#killed) onFailure(new Error(failure ?? fault));
        resolve();
      };
      this.#process.once('error', (error) => gone(error.message));
      this.#process.once('exit', (code, signal) => gone(code === 0 ? undefined : `it ended with ${signal ?? code}`));
    });
  }

  /** Over the channel and not as an argument: everybody can read those, and the task may hold a password. */
  begin(task: Task): void {
    this.#process.send(task);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#process.kill('SIGKILL');
    await this.#gone;
  }

  /** Lets it finish what it is doing, for a while; resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#loaded) return this.kill();
    if (this.#process.connected) this.#process.send(STOP);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#gone;
    clearTimeout(timer);
  }
}
